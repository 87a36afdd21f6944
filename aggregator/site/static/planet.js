// What is new, and keys. Everything works without it.
(() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const live = document.querySelector(".live");
  const posts = all("[data-post]");
  const ids = new Set(posts.map((post) => post.dataset.post));
  const VISIT = 1800000;
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem("planet")) || {}; } catch { /* switched off */ }
  const keep = () => { try { localStorage.setItem("planet", JSON.stringify(kept)); } catch {} };
  if (live) {
    const newest = Math.max(kept.newest || 0, ...posts.map((post) => +post.dataset.post));
    if (!kept.at || Date.now() - kept.at > VISIT) kept.since = kept.newest || newest;
    for (const post of posts) {
      if (+post.dataset.post <= kept.since) continue;
      post.classList.add("is-new");
      const by = post.querySelector(".by");
      if (by) by.append(Object.assign(document.createElement("span"), { className: "new", textContent: live.dataset.new }));
    }
    kept.newest = newest;
    kept.at = Date.now();
    keep();
    let events;
    const listen = () => {
      events = new EventSource(live.dataset.events);
      events.onmessage = (event) => {
        const count = event.data.split(" ").filter((id) => id && !ids.has(id)).length;
        const link = Object.assign(document.createElement("a"), { href: location.pathname });
        link.textContent = count === 1 ? live.dataset.one : live.dataset.many.replace("{n}", count);
        live.replaceChildren(...(count ? [link] : []));
      };
    };
    if (window.EventSource) {
      listen();
      addEventListener("pagehide", () => events.close());
      addEventListener("pageshow", (event) => event.persisted && listen());
    }
  }
  const keys = document.querySelector(".keys");
  const say = () => { keys.textContent = kept.mute ? keys.dataset.off : keys.dataset.on; keys.setAttribute("aria-pressed", !kept.mute); };
  if (keys) {
    keys.hidden = false;
    keys.onclick = () => { kept.mute = !kept.mute; keep(); say(); };
    say();
  }
  const heads = all("article[data-post] h3 > a, article.post h2 > a, .talk h2 > a");
  addEventListener("keydown", (event) => {
    if (kept.mute || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const at = heads.indexOf(document.activeElement);
    const step = { j: 1, k: -1 }[event.key];
    if (step && heads.length) {
      const head = heads[Math.min(Math.max(at + step, 0), heads.length - 1)];
      head.focus({ preventScroll: true });
      head.closest("article, li").scrollIntoView();
    } else if (event.key === "o" && at >= 0) {
      heads[at].click();
    } else if (event.key === "/") {
      event.preventDefault();
      const field = all(".search input, #q").find((input) => input.offsetParent);
      if (field) field.focus(); else document.querySelector(".find").click();
    }
  });
})();
