import re
username = request.context["prompt_data"]["username"]
if not re.fullmatch(r"[a-z][a-z0-9_.-]{2,31}", username):
    ak_message("Small letters, digits and ._- only, 3 to 32 of them.")
    return False
return True
