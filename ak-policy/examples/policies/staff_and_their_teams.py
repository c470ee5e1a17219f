return ak_is_group_member(request.user, name="staff") and request.user.is_active
