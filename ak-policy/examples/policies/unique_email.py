email = request.context["prompt_data"]["email"]
found = ak_user_by(email__iexact=email)
if found is None or found.pk == request.user.pk:
    return True
ak_message("This address is in use.")
return False
