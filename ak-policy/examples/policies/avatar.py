data = request.context.get("prompt_data", {})
if data.get("remove_avatar"):
    user.attributes.pop("avatar", None)
    user.save()
    return True
avatar = data.get("avatar")
if not avatar:
    return True
if not avatar.startswith("data:image/") or len(avatar) > 100000:
    ak_message("Choose a picture of 75 kB at the most.")
    return False
user.attributes["avatar"] = avatar
user.save()
return True
