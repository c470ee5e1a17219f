from authentik.core.models import User
email = request.context["prompt_data"]["email"]
if User.objects.filter(email__iexact=email).exclude(pk=request.user.pk).exists():
    ak_message("This address is in use.")
    return False
return True
