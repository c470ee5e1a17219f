for name in request.context.get("prompt_data", {}).get("groups", []):
    group = ak_group_by(name=name)
    if group is None:
        ak_logger.warning(f"there is no group {name}")
    else:
        request.user.groups.add(group)
return True
