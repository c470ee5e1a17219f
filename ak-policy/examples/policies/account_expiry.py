from datetime import datetime
until = user.attributes.get("valid_until")
if until is None or datetime.now() < datetime.fromisoformat(until):
    return True
ak_message(f"This account was good until {until}.")
return False
