// Browser script shared by all pages. Nothing here leaves the page.
if (!window.agegender) {
  window.agegender = true;

  const description = document.createElement("meta");
  description.name = "description";
  description.content = "Finds faces in photos, videos and a webcam and estimates apparent age and gender.";
  document.head.append(description);

  // Treat a pasted picture like a chosen file.
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    const field = document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
    if (!files.length || !field) return;
    const carrier = new DataTransfer();
    files.forEach((file) => carrier.items.add(file));
    field.files = carrier.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
    event.preventDefault();
  });

  // Clicking a moment seeks the page's video to it.
  document.addEventListener("click", (event) => {
    const moment = event.target.closest?.("[data-seek]");
    const video = document.querySelector('[data-testid="stMain"] video');
    if (!moment || !video) return;
    video.currentTime = Number(moment.dataset.seek);
    video.scrollIntoView({ block: "nearest" });
    video.play().catch(() => {});
  });
}
