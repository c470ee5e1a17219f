from authentik.core.models import Group

for name in request.context.get("prompt_data", {}).get("groups", []):
    group = Group.objects.filter(name=name).first()
    if group is None:
        ak_logger.warning(f"there is no group {name}")
    else:
        request.user.groups.add(group)
return True
