hosting = {64496, 64511}
asn = request.context.get("asn") or {}
if asn.get("asn") in hosting:
    ak_message(f"Not from {asn['as_org']}.")
    return False
return True
