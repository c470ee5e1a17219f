geo = request.context.get("geoip", {})
if geo.get("country") in ("DE", "AT", "CH"):
    return True
ak_message(f"Not from {geo.get('country', 'an unknown country')}.")
return False
