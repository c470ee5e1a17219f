import requests

answer = requests.get("https://staff.example.org/api/people", params={"email": user.email}, timeout=5)
if answer.status_code == 404:
    ak_message("The staff directory does not know you.")
    return False
answer.raise_for_status()
return answer.json()["status"] == "employed"
