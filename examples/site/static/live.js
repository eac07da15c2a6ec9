// Whatever has data-live="/some/page" shows that page, and looks again each second.

const away = document.getElementById("away");

async function show(place) {
  try {
    const answer = await fetch(place.dataset.live);
    const text = await answer.text();
    if (answer.ok && text !== place.text) {
      place.innerHTML = place.text = text; // only what has changed, so that text can be selected
    }
    away.hidden = answer.ok;
  } catch {
    away.hidden = false;
  }
  setTimeout(show, 1000, place);
}

document.querySelectorAll("[data-live]").forEach(show);
