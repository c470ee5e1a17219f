// The "Show" button of a password field. It is `hidden` in the page, so that nobody without scripts meets a dead control.
for (const button of document.querySelectorAll("button[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  if (!input) continue;

  const shown = { text: button.dataset.hide, label: button.dataset.hideLabel };
  const masked = { text: button.textContent, label: button.getAttribute("aria-label") };

  const show = (visible) => {
    const { text, label } = visible ? shown : masked;
    input.type = visible ? "text" : "password";
    button.textContent = text;
    button.setAttribute("aria-label", label);
  };

  button.hidden = false;
  button.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  // Password managers save, and browsers remember, by the type the field has when it is sent.
  input.form?.addEventListener("submit", () => show(false));
}
