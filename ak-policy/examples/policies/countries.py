geo = request.context.get("geoip") or {}
if geo.get("country") in ("DE", "AT", "CH"):
    return True
ak_message(f"Not from {geo.get('country') or 'an unknown country'}.")
return False
