"use strict";
// Forms work without this. It sends them at each choice, and leaves empty fields out of the address.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("view");
  if (!form) return;
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
  document.addEventListener("change", ({ target }) => {
    if (target.form !== form || target.type === "search") return;
    const first = new FormData(form).getAll("method").length === 1 && !document.getElementById("pair");
    if (target.name !== "method" || !first) form.requestSubmit();
  });
});
