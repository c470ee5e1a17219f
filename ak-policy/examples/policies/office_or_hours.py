if ak_call_policy("office_networks").passing:
    return True
return ak_call_policy("weekdays").passing and ak_call_policy("business_hours").passing
