domain = request.user.email.rsplit("@", 1)[-1].lower()
if domain not in {"example.com", "example.org"}:
    ak_message(f"Addresses of {domain} are not accepted.")
    return False
return True
