return user.groups.filter(name="Admins").exists()
