from datetime import datetime
if datetime.now().weekday() >= 5:
    ak_message("Closed at the weekend.")
    return False
return True
