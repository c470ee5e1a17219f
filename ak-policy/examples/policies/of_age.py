age = request.context.get("prompt_data", {}).get("age", "")
try:
    if int(age) >= 18:
        return True
    ak_message("Come back later.")
except (TypeError, ValueError):
    ak_message("How old are you?")
return False
