import datetime
now = datetime.datetime.now()
return 9 <= now.hour < 17
