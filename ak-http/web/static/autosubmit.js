// A form that carries an answer elsewhere sends itself. Without scripts its button does.
document.querySelector("form[data-autosubmit]")?.requestSubmit();
