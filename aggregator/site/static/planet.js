// New since the last visit, "3 new posts", and j, k, o and / on the keyboard. Everything works without it.
(() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const live = document.querySelector(".live");
  const posts = all("[data-post]");
  const ids = new Set(posts.map((post) => post.dataset.post));
  if (live) {
    try {
      const last = Number(localStorage.getItem("planet") || 0);
      const newest = Math.max(last, ...posts.map((post) => Number(post.dataset.post)));
      for (const post of posts) {
        if (last && Number(post.dataset.post) > last) {
          post.classList.add("is-new");
          const by = post.querySelector(".by");
          if (by) by.insertAdjacentElement("beforeend", Object.assign(document.createElement("span"), { className: "new", textContent: live.dataset.new }));
        }
      }
      localStorage.setItem("planet", String(newest));
    } catch { /* storage may be switched off */ }
    if (window.EventSource) {
      const events = new EventSource(live.dataset.events);
      events.onmessage = (event) => {
        const count = event.data.split(" ").filter((id) => id && !ids.has(id)).length;
        if (!count) return;
        const link = document.createElement("a");
        link.href = location.pathname;
        link.textContent = count === 1 ? live.dataset.one : live.dataset.many.replace("{n}", count);
        live.replaceChildren(link);
      };
      events.onerror = () => { if (events.readyState === 2) events.close(); };
      addEventListener("pagehide", () => events.close());
    }
  }
  const heads = all("article[data-post] h3 > a, article.post h2 > a, .talk h2 > a");
  let at = -1;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const step = { j: 1, k: -1 }[event.key];
    if (step && heads.length) {
      at = Math.min(Math.max(at + step, 0), heads.length - 1);
      heads[at].focus({ preventScroll: true });
      heads[at].closest("article, li").scrollIntoView({ block: "start" });
    } else if (event.key === "o" && heads[at]) {
      heads[at].click();
    } else if (event.key === "/") {
      const field = all(".search input, #q").find((input) => input.offsetParent);
      if (field) { event.preventDefault(); field.focus(); } else { location.href = document.querySelector(".find").href; }
    }
  });
})();
