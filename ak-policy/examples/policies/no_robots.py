if http_request is None:
    return False
agent = http_request.META.get("HTTP_USER_AGENT", "").lower()
return agent != "" and not any(word in agent for word in ["bot", "crawler", "curl"])
