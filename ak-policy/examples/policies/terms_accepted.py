from datetime import datetime
if request.context.get("prompt_data", {}).get("terms") is not True:
    ak_message("Please accept the terms.")
    return False
user.attributes["terms_accepted"] = datetime.now().strftime("%Y-%m-%d")
user.save()
return True
