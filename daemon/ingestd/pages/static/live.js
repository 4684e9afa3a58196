// Keeps a page as the daemon is now: asks for it again while somebody looks, and replaces what differs.
"use strict";
(() => {
  const LEAST = 5000; // milliseconds between two looks
  const SHARE = 20; // times as long as a look took, so that a page costs a twentieth of the time at most
  let timer = 0;
  let looking = false;
  let served = parts(document).map((part) => part.outerHTML);

  function parts(page) {
    return [...page.querySelectorAll("main > *, footer > p")];
  }

  // What somebody reads, has opened, or stands in is left alone until they are done.
  function inUse(part) {
    const selection = document.getSelection();
    const selected = selection && !selection.isCollapsed && selection.containsNode(part, true);
    return selected || part.contains(document.activeElement) || part.matches("details[open]") ||
      part.querySelector("details[open]") !== null;
  }

  function replace(old, fresh) {
    const places = [...old.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    const left = old.scrollLeft;
    old.replaceWith(fresh);
    fresh.scrollLeft = left;
    fresh.querySelectorAll(".scroll").forEach((each, at) => { each.scrollLeft = places[at] || 0; });
  }

  function show(page) {
    const now = parts(document);
    const fresh = parts(page);
    const html = fresh.map((part) => part.outerHTML);
    if (now.length !== fresh.length) {
      if (!now.some(inUse)) {
        document.querySelector("main").replaceWith(page.querySelector("main"));
        document.querySelector("footer").replaceWith(page.querySelector("footer"));
        served = html;
      }
      return;
    }
    now.forEach((part, at) => {
      if (served[at] !== html[at] && !inUse(part)) {
        replace(part, fresh[at]);
        served[at] = html[at];
      }
    });
    document.title = page.title;
  }

  function tell(text) {
    let note = document.getElementById("stale");
    if (!note && text) {
      note = document.createElement("p");
      note.id = "stale";
      note.setAttribute("role", "status");
      document.querySelector("header").append(note);
    }
    if (note && note.textContent !== text) {
      note.textContent = text;
    }
  }

  async function look() {
    const began = performance.now();
    looking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (answer.status === 401) {
        location.reload(); // which asks for the token
        return;
      }
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      show(page);
      tell("");
      if (!page.querySelector("head > script")) {
        return; // nothing changes there any more
      }
    } catch {
      tell("The daemon does not answer: what is shown may be out of date.");
    } finally {
      looking = false;
    }
    again(Math.max(LEAST, SHARE * (performance.now() - began)));
  }

  function again(wait) {
    clearTimeout(timer);
    if (!document.hidden && !looking) {
      timer = setTimeout(look, wait);
    }
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    again(0);
  });
  again(LEAST);
})();
