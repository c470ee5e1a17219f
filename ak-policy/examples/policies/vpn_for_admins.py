if not user.is_superuser:
    return True
if ak_client_ip in ip_network("10.8.0.0/24"):
    return True
ak_logger.warning("an administrator outside of the VPN", user=user.username)
ak_message(f"Connect to the VPN first: {ak_client_ip} is not in it.")
return False
