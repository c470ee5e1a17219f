known = request.user.attributes.get("devices", [])
device = request.context.get("device")
if device is not None and device in known:
    return False
ak_create_event("new_device", device=device, ip=request.context.get("ip"))
return True
