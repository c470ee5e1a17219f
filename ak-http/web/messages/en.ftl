# Every sentence of the server-rendered pages. A subset of Fluent: one line per message, `{ $name }` for what the page fills in.
# A translation is a second file with the same keys.

skip = Skip to content
error-title = Error: { $title }
error-summary = There is a problem
error-prefix = Error:
reference = Reference:
footer = Links

optional = (optional)

# signing in
sign-in = Sign in
continue = Continue
continue-to = Continue to { $application }
uid-username = Username
uid-email = Email
uid-upn = UPN
uid-username-email = Username or email
uid-username-upn = Username or UPN
uid-email-upn = Email or UPN
uid-username-email-upn = Username, email or UPN
password = Password
password-show = Show
password-hide = Hide
password-show-label = Show password
password-hide-label = Hide password
signing-in-as = Signing in as
not-you = Not you?
forgot = Forgot your password?
enroll = Create an account
passwordless = Sign in without a password
or = or
source = Continue with { $name }
no-way-in = There is no way to sign in here. Please ask your administrator.

# stay signed in
stay-title = Stay signed in?
stay-text = On a shared device, choose “No”.
stay-yes = Yes, stay signed in
stay-no = No

# prompts and consent
choose = Choose…
choose-none = None
consent-asks = It gets access to
consent-more = It also wants access to
consent-before = What it has access to already
consent-yes = Allow
cancel = Cancel

# other steps
dummy = This is the step “{ $name }”. It asks for nothing.
leaving = Continue
leaving-text = If nothing happens, continue by hand.
leaving-refused = The address of the next page is not one that this page may open.

# refusals and failures
denied = Access denied
denied-text = You do not have permission to do this.
denied-help = If you think this is wrong, give the reference to your administrator.
other-account = Use another account
sign-out = Sign out
back = Go back
home = Go to start page
failed = Something went wrong
failed-text = Try again. If it keeps happening, give the reference to your administrator.
failed-details = Details for administrators
retry = Try again

# the end of a session
ended = You have signed out
not-ended = You are still signed in
not-ended-text = This way out ends no session: it has no step that signs out. Please tell your administrator.
ended-app = You have signed out of { $application }
ended-text = You are still signed in to { $brand }.
ended-overview = Go to overview
ended-brand = Sign out of { $brand }
ended-again = Sign in to { $application } again

# recovery, account
recovery = Sign in as { $name }
recovery-one = This recovery link works once, and only for another minute.
recovery-many = This recovery link works once, and for { $minutes } more minutes.
applications = Applications
new-tab = (opens in a new tab)
account = Your account
account-email = Email
account-groups = Groups
account-none = None
account-settings = Change settings
account-password = Change password
sessions = Sessions
sessions-used = last used { $when }
sessions-current = This device
