department = user.group_attributes(request).get("department", "none")
if department in ["IT", "Finance"]:
    return True
ak_message(f"Not for the department {department}.")
return False
