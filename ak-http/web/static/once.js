// Of two clicks on one button only the first is sent: the second would take the answer to the first away from the page.
for (const form of document.querySelectorAll('form[method="post"]')) {
  let sent = false;

  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  // A page that the browser has kept, and shows again, may be sent again.
  addEventListener("pageshow", (event) => {
    if (event.persisted) sent = false;
  });
}
