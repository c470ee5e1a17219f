for net in ["10.0.0.0/8", "192.168.0.0/16", "2001:db8:12::/48"]:
    if ak_client_ip in ip_network(net):
        return True
ak_message("Only from the office.")
return False
