return user.type in ("internal", "external")
