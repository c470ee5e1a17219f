blocked_ips = ["192.0.2.7", "198.51.100.1"]
return request.context.get("ip") not in blocked_ips
