return str(ak_client_ip) in resolve_dns("gateway.partner.example")
