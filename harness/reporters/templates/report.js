"use strict";
// Draws the conversations and transcripts of one suite run from the data packed inside this page.
// Whatever was said by a user, an assistant or a document becomes text nodes: nothing is parsed as HTML.
(() => {
  const ROWS_PER_PAGE = 50;
  const RANK = { failed: 0, errored: 1, flaky: 2, passed: 3, skipped: 4 };
  const KEPT = "in quarantine";
  const byId = (id) => document.getElementById(id);

  // ---- making elements ------------------------------------------------------------------------------

  /** An element with properties (attributes where the name has a dash, "role" or "class") and children. */
  function el(name, properties, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(properties || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : String(value));
    }
    node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  }

  const number = new Intl.NumberFormat("en-US");
  const counted = (count, noun) => `${number.format(count)} ${noun}${count === 1 ? "" : "s"}`;

  function seconds(value) {
    if (value === undefined || value === null) return "–";
    if (value < 0.9995) return `${value >= 0.01 ? Math.round(value * 1000) : Number((value * 1000).toPrecision(2))} ms`;
    if (value < 9.95) return `${value.toFixed(1)} s`;
    const whole = Math.round(value);
    return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  }

  function dollars(value) {
    if (value === undefined || value === null) return "unknown";
    const amount = Number(value);
    if (amount === 0 || amount >= 1) return `$${amount.toFixed(2)}`;
    const digits = Math.min(12, 2 - Math.floor(Math.log10(amount)));
    const [whole, part] = amount.toFixed(digits).split(".");
    return `$${whole}.${part.replace(/0+$/, "").padEnd(2, "0")}`;
  }

  function usage(tokens) {
    if (!tokens) return "tokens unknown";
    const [prompt, completion, cached, reasoning] = tokens;
    const parts = [`${number.format(prompt)} in`, `${number.format(completion)} out`];
    if (cached) parts.push(`${number.format(cached)} cached`);
    if (reasoning) parts.push(`${number.format(reasoning)} reasoning`);
    return `${number.format(prompt + completion)} tokens (${parts.join(", ")})`;
  }

  /** JSON laid out for reading; the text as it is when it is not JSON or holds numbers too long to keep. */
  function pretty(text) {
    try {
      return /\d{16}/.test(text) ? text : JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }

  // ---- unpacking ------------------------------------------------------------------------------------

  async function unpack(script) {
    const bytes = Uint8Array.from(atob(script.textContent.trim()), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  const unpacked = new Map();
  /** The content of one data script; unpacked once. */
  function content(script) {
    if (!unpacked.has(script)) unpacked.set(script, unpack(script));
    return unpacked.get(script);
  }

  /** A value with every {"$": n} replaced by the n-th long text. */
  function withTexts(value, texts) {
    if (Array.isArray(value)) return value.map((part) => withTexts(part, texts));
    if (value === null || typeof value !== "object") return value;
    const keys = Object.keys(value);
    if (keys.length === 1 && keys[0] === "$" && typeof value.$ === "number") return texts[value.$];
    return Object.fromEntries(keys.map((key) => [key, withTexts(value[key], texts)]));
  }

  async function transcriptOf(row, [, , , block, place]) {
    const blocks = document.querySelectorAll("script.data-block");
    const [{ trials, said }, texts] = await Promise.all([content(blocks[block]), content(byId("data-texts"))]);
    const record = withTexts(trials[place], texts);
    record.scores = (record.scores || []).map(wholeScore);
    for (const [at, turn] of (record.turns || []).entries()) {
      turn.user = turn.user === undefined ? row.said[at] : turn.user;
      turn.scores = (turn.scores || []).map(wholeScore);
      for (const answer of turn.answers || []) answer.text = said[answer.text];
      for (const call of (turn.steps || []).flatMap((step) => step.calls || [])) {
        call.results = (call.results || []).map(([score, passage]) => {
          const [file, page, text] = texts[passage];
          return { score, file, page, text };
        });
      }
    }
    return record;
  }

  /** A score as a record, also where only its check and scorer are packed because it simply passed. */
  const wholeScore = (score) => (Array.isArray(score) ? { check: score[0], scorer: score[1], value: true, passed: true } : score);

  // ---- the list -------------------------------------------------------------------------------------

  let rows = [];
  let shown = [];
  let page = 0;
  let order = { key: "outcome", down: false };
  let columns = [];

  function readRows(index) {
    const names = (kind, numbers) => (numbers || []).map((place) => index[kind][place]);
    return index.rows.map((row, place) => {
      const full = {
        place, id: row.id, said: row.says || [], says: (row.says || []).join(" "), why: row.why || "", outcome: row.outcome, flaky: Boolean(row.flaky),
        quarantine: row.quarantine || "", kept: Boolean(row.kept),
        suite: index.suites[row.suite], variant: index.variants[row.variant],
        tags: names("tags", row.tags), checks: names("checks", row.checks),
        trials: row.trials, tokens: row.tokens, cost: row.cost, latency: row.latency,
      };
      full.words = [full.id, full.suite, full.variant, ...full.tags, ...full.checks, full.says, full.why, full.quarantine].join("\n").toLowerCase();
      return full;
    });
  }

  const FILTERS = {
    outcome: (row, value) => (value === "flaky" ? row.flaky : value === KEPT ? row.kept : row.outcome === value),
    suite: (row, value) => row.suite === value,
    variant: (row, value) => row.variant === value,
    tag: (row, value) => row.tags.includes(value),
    check: (row, value) => row.checks.includes(value),
  };

  function matching() {
    const wanted = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const active = Object.entries(FILTERS)
      .map(([name, test]) => [test, byId(`filter-${name}`).value])
      .filter(([, value]) => value !== "");
    return rows.filter((row) => active.every(([test, value]) => test(row, value)) && wanted.every((word) => row.words.includes(word)));
  }

  const SORTED_BY = {
    outcome: (row) => RANK[row.outcome] - (row.flaky ? 0.5 : 0),
    id: (row) => row.id,
    suite: (row) => row.suite,
    variant: (row) => row.variant,
    tokens: (row) => row.tokens,
    cost: (row) => row.cost,
    latency: (row) => row.latency,
  };

  function sort(found) {
    const key = SORTED_BY[order.key];
    const sign = order.down ? -1 : 1;
    const compare = (one, other) => (typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other);
    return found.sort((a, b) => {
      const [one, other] = [key(a), key(b)];
      if (one === undefined || other === undefined) return (one === undefined) - (other === undefined) || a.place - b.place;
      return sign * compare(one, other) || a.place - b.place;
    });
  }

  function refresh() {
    shown = sort(matching());
    page = 0;
    drawList();
  }

  function drawList() {
    const begin = page * ROWS_PER_PAGE;
    const visible = shown.slice(begin, begin + ROWS_PER_PAGE);
    byId("rows").tBodies[0].replaceChildren(...visible.map(drawRow));
    byId("count").textContent = shown.length === rows.length
      ? counted(rows.length, "conversation")
      : `${number.format(shown.length)} of ${counted(rows.length, "conversation")}`;
    drawPager();
    for (const head of byId("rows").tHead.rows[0].cells) {
      if (head.dataset.key === order.key) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  function drawPager() {
    const pages = Math.max(1, Math.ceil(shown.length / ROWS_PER_PAGE));
    const go = (to) => () => {
      page = to;
      drawList();
      byId("conversations").scrollIntoView();
    };
    byId("pager").hidden = pages === 1;
    byId("pager").replaceChildren(
      el("button", { type: "button", onclick: go(page - 1), disabled: page === 0 }, "Previous"),
      el("span", { class: "note" }, `page ${page + 1} of ${number.format(pages)}`),
      el("button", { type: "button", onclick: go(page + 1), disabled: page === pages - 1 }, "Next"),
    );
  }

  const badge = (outcome, label) => el("span", { class: `badge ${outcome}` }, label || outcome);

  function drawRow(row) {
    const open = () => openTrial(interesting(row)[0]);
    const passed = row.trials.filter((trial) => trial[2] === "passed").length;
    const cells = {
      outcome: () => el("td", { class: "outcome" }, badge(row.outcome, row.flaky ? "flaky" : row.outcome),
        row.trials.length > 1 ? el("div", { class: "repeats" }, `${passed}/${row.trials.length} passed`) : null,
        row.kept ? el("div", {}, badge("skipped", KEPT)) : null),
      id: () => el("td", { class: "main" },
        el("button", { type: "button", class: "link", onclick: (event) => { event.stopPropagation(); open(); } }, row.id),
        el("div", { class: "says" }, row.says.replace(/\s+/g, " ").slice(0, 300)),
        row.why ? el("div", { class: "why" }, row.why.replace(/\s+/g, " ").slice(0, 400)) : null,
        row.quarantine ? el("div", { class: "where" }, `quarantine ${row.quarantine}`) : null,
        row.tags.length ? el("div", { class: "where" }, row.tags.join(" · ")) : null),
      suite: () => el("td", {}, row.suite),
      variant: () => el("td", {}, row.variant),
      tokens: () => el("td", { class: "number tokens" }, row.tokens === undefined ? "unknown" : number.format(row.tokens)),
      cost: () => el("td", { class: "number" }, dollars(row.cost)),
      latency: () => el("td", { class: "number" }, seconds(row.latency)),
    };
    return el("tr", { class: row.outcome, onclick: () => { if (!String(getSelection())) open(); } }, columns.map(([key]) => cells[key]()));
  }

  /** The trials of a row, those that did not pass first: what one opens a failed row for. */
  const interesting = (row) => [...row.trials].sort((a, b) => RANK[a[2]] - RANK[b[2]] || a[1] - b[1])[0];

  function drawHead(index) {
    columns = [["outcome", "Outcome"], ["id", "Conversation"]];
    if (index.suites.length > 1) columns.push(["suite", "Suite"]);
    if (index.variants.length > 1) columns.push(["variant", "Variant"]);
    columns.push(["tokens", "Tokens"], ["cost", "Cost"], ["latency", "Time"]);
    const numeric = ["tokens", "cost", "latency"];
    byId("rows").tHead.rows[0].replaceChildren(...columns.map(([key, title]) => {
      const sortBy = () => {
        order = { key, down: order.key === key ? !order.down : numeric.includes(key) };
        refresh();
      };
      return el("th", { scope: "col", "data-key": key, class: numeric.includes(key) ? "number" : null }, el("button", { type: "button", onclick: sortBy }, title));
    }));
  }

  function fillFilters(index) {
    const tally = (values) => values.reduce((counts, value) => counts.set(value, (counts.get(value) || 0) + 1), new Map());
    const outcomes = tally(rows.flatMap((row) => [row.outcome, ...(row.flaky ? ["flaky"] : []), ...(row.kept ? [KEPT] : [])]));
    const choices = {
      outcome: [...Object.keys(RANK), KEPT].filter((name) => outcomes.has(name)).map((name) => [name, outcomes.get(name)]),
      suite: [...tally(rows.map((row) => row.suite))],
      variant: [...tally(rows.map((row) => row.variant))],
      tag: [...tally(rows.flatMap((row) => row.tags))].sort((a, b) => a[0].localeCompare(b[0])),
      check: [...tally(rows.flatMap((row) => row.checks))].sort((a, b) => b[1] - a[1]),
    };
    for (const [name, found] of Object.entries(choices)) {
      const select = byId(`filter-${name}`);
      select.append(...found.map(([value, count]) => el("option", { value }, `${value} (${number.format(count)})`)));
      select.closest("label").hidden = found.length < (name === "check" || name === "tag" ? 1 : 2);
      select.addEventListener("change", refresh);
    }
    byId("search").addEventListener("input", refresh);
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("reset", () => setTimeout(refresh));
    for (const button of document.querySelectorAll("[data-check]")) {
      button.addEventListener("click", () => {
        byId("filters").reset();
        byId("filter-check").value = button.dataset.check;
        refresh();
        byId("conversations").scrollIntoView();
      });
    }
  }

  // ---- the transcript -------------------------------------------------------------------------------

  const dialog = byId("transcript");
  const trialIds = new Map();
  let latest = 0;

  async function openTrial(trialId) {
    const known = trialIds.get(trialId);
    if (!known) return;
    const ticket = ++latest;
    const { row, trial } = known;
    hideEvidence();
    const record = await transcriptOf(row, trial);
    if (ticket !== latest) return; // another one was asked for meanwhile
    dialog.replaceChildren(drawTop(row, trial, record), drawBody(record), evidenceCard);
    if (!dialog.open) dialog.showModal();
    dialog.querySelector(".body").focus();
    history.replaceState(null, "", `#${encodeURIComponent(trialId)}`);
  }

  function drawTop(row, trial, record) {
    const place = shown.indexOf(row);
    const step = (by) => {
      const next = place < 0 ? undefined : shown[place + by];
      return next && (() => openTrial(interesting(next)[0]));
    };
    const button = (label, sign, action) => el("button", { type: "button", title: label, "aria-label": label, onclick: action, disabled: !action }, sign);
    const started = String(record.started).replace("T", " ").slice(0, 19);
    return el("header", { class: "bar-top" },
      el("div", { class: "line" },
        el("div", {},
          el("p", { class: "eyebrow" }, [row.suite, row.variant].join(" · ")),
          el("h2", { id: "transcript-title" }, row.id, " ", badge(trial[2]))),
        el("div", { class: "buttons" },
          button("Previous conversation", "↑", step(-1)), button("Next conversation", "↓", step(1)),
          button("Close", "✕", () => dialog.close()))),
      row.trials.length > 1 ? el("div", { class: "tabs", role: "group", "aria-label": "Repeats" }, row.trials.map((other) =>
        el("button", { type: "button", "aria-pressed": String(other === trial), onclick: () => openTrial(other[0]) },
          `Repeat ${other[1]} `, badge(other[2])))) : null,
      el("div", { class: "facts-line" },
        el("span", {}, `${started} UTC`),
        el("span", {}, seconds(record.latency)),
        el("span", {}, usage(record.usage)),
        el("span", {}, record.cost === undefined ? `cost unknown${record.cost_reason ? ` (${record.cost_reason})` : ""}` : dollars(record.cost)),
        row.tags.length ? el("span", {}, row.tags.join(" · ")) : null));
  }

  function drawBody(record) {
    const turns = record.turns || [];
    const images = new Map(turns.flatMap((turn) => turn.answers || []).flatMap((answer) => answer.files || []).map((file) => [file.file_id, file]));
    return el("div", { class: "body", tabindex: "0", "aria-label": "Transcript" },
      record.error ? el("p", { class: "alert" }, record.error) : null,
      record.scores.length ? el("section", { class: "turn" }, el("header", {}, el("h3", {}, "The conversation as a whole")), drawScores(record.scores)) : null,
      record.history ? el("section", { class: "turn history" },
        el("header", {}, el("h3", {}, "Before the first turn")),
        record.history.map((message) => bubble(message.role, message.text))) : null,
      turns.map((turn, place) => drawTurn(turn, place, images, sentencesOf(record, turn, place))),
      turns.length ? null : el("p", { class: "note" }, "No turn was begun."));
  }

  const bubble = (role, ...children) => el("div", { class: `bubble ${role}` },
    el("span", { class: "speaker" }, role === "user" ? "User" : "Assistant"), children);

  /** The sentences of a turn's answer as grounding judged them, in this turn or over the whole conversation. */
  function sentencesOf(record, turn, place) {
    const judged = (scores) => scores.find((score) => score.check === "grounded" && score.evidence && Array.isArray(score.evidence.sentences));
    const own = judged(turn.scores);
    if (own) return own.evidence.sentences;
    const whole = judged(record.scores);
    return whole ? whole.evidence.sentences.filter((sentence) => sentence.turn === place) : [];
  }

  function drawTurn(turn, place, images, sentences) {
    const answers = turn.answers || [];
    const facts = [turn.model, seconds(turn.latency), turn.wait ? `waited ${seconds(turn.wait)} for rate limits` : null, usage(turn.usage)];
    const calls = (turn.steps || []).flatMap((step) => step.calls || []);
    let offset = 0;
    return el("section", { class: "turn", "aria-label": `Turn ${place + 1}` },
      el("header", {}, el("h3", {}, `Turn ${place + 1}`, turn.status === "completed" ? null : [" ", badge("errored", turn.status)]),
        el("span", { class: "facts-line" }, facts.filter(Boolean).map((fact) => el("span", {}, fact)))),
      turn.returning ? el("p", { class: "note" }, "The user left before this turn and came back.") : null,
      bubble("user", turn.user, turn.attachments ? el("div", { class: "sources" }, turn.attachments.map((file) => badge("skipped", `📎 ${file}`))) : null),
      calls.map((call) => drawCall(call, images)),
      answers.map((answer) => {
        const drawn = drawAnswer(answer, sentences, offset);
        offset += [...answer.text].length + 2; // answers of one turn are scored as one text, a blank line between
        return drawn;
      }),
      answers.length || turn.error ? null : el("p", { class: "note" }, "No answer."),
      turn.error ? el("p", { class: "alert" }, turn.error) : null,
      turn.deletion ? drawDeletion(turn.deletion) : null,
      turn.scores.length ? drawScores(turn.scores) : null,
      drawSteps(turn));
  }

  /** What came of the user's wish to be forgotten. */
  function drawDeletion(deletion) {
    const ids = (deletion.deleted || []).join(", ");
    if (deletion.confirmed) return el("p", { class: "note" }, `The user was forgotten: ${ids ? `${ids} deleted, and not there when asked for again` : "nothing was left to delete"}.`);
    return el("p", { class: "alert" }, `The user asked to be forgotten, and not everything is known to be gone. ${deletion.error || ""}${ids ? ` Deleted: ${ids}.` : ""}`);
  }

  /** An answer with its sentences marked and its citations turned into buttons. */
  function drawAnswer(answer, sentences, offset) {
    const characters = [...answer.text]; // offsets count characters, not UTF-16 units
    const cites = (answer.citations || []).map((cite) => located(cite, characters)).filter(Boolean).sort((a, b) => a.start - b.start);
    const spans = sentences
      .filter((one) => Number.isInteger(one.start) && Number.isInteger(one.end))
      .map((one) => ({ start: one.start - offset, end: one.end - offset, one }))
      .filter((span) => span.end > 0 && span.start < characters.length);
    const cuts = new Set([0, characters.length]);
    for (const span of [...cites, ...spans]) cuts.add(Math.max(0, span.start)).add(Math.min(characters.length, span.end));
    const places = [...cuts].sort((a, b) => a - b);
    const begun = new Set();
    const pieces = places.slice(0, -1).map((start, at) => {
      const text = characters.slice(start, places[at + 1]).join("");
      const cite = cites.find((one) => one.start <= start && start < one.end);
      if (cite) return cite.start === start ? citeButton(cite.cite, cites.indexOf(cite) + 1) : null;
      const span = spans.find((one) => one.start <= start && start < one.end);
      if (!span) return text;
      const first = !begun.has(span);
      begun.add(span);
      return sentencePiece(span.one, text, first);
    });
    const marked = new Set(cites.map((one) => one.cite));
    const loose = (answer.citations || []).filter((cite) => !marked.has(cite));
    return bubble("assistant", pieces,
      loose.length ? el("div", { class: "sources" }, loose.map((cite, at) => citeButton(cite, cites.length + at + 1))) : null,
      (answer.files || []).map(drawFile));
  }

  /** Where a citation's marker really stands: at its offsets, or where its text is found. */
  function located(cite, characters) {
    const { start = 0, end = 0, marker } = cite;
    if (!marker) return end > start && end <= characters.length ? { start: end, end, cite } : null;
    if (characters.slice(start, end).join("") === marker) return { start, end, cite };
    const text = characters.join("");
    const found = text.indexOf(marker);
    if (found < 0) return null;
    const at = [...text.slice(0, found)].length;
    return { start: at, end: at + [...marker].length, cite };
  }

  function sentencePiece(sentence, text, first) {
    if (sentence.claim === false) return el("span", { class: "sentence unclaimed" }, text);
    const supported = sentence.supported;
    const kind = supported === true ? "supported" : supported === false ? "unsupported" : "unclaimed";
    const card = () => sentenceCard(sentence);
    const node = el("span", {
      class: `sentence ${kind}`, role: first ? "button" : null, tabindex: first ? "0" : null,
      "aria-label": first ? `${text.trim()} (${supported ? "supported" : "not supported"} by the documents; show evidence)` : null,
    }, text);
    return withCard(node, card);
  }

  function citeButton(cite, count) {
    const label = cite.file || cite.marker || "source";
    const node = el("button", { type: "button", class: cite.chunk ? "cite" : "cite dangling", "aria-label": `Citation ${count}: ${label}` }, `${count} ${label}`);
    return withCard(node, () => [
      el("div", { class: "head" }, badge(cite.chunk ? "skipped" : "failed", cite.chunk ? "cited" : "not resolved"), el("b", {}, label)),
      cite.chunk ? el("blockquote", {}, cite.chunk) : el("p", {}, "This citation could not be joined to a retrieved passage."),
      cite.marker ? el("p", { class: "note mono" }, cite.marker) : null,
    ]);
  }

  function sentenceCard(sentence) {
    const evidence = sentence.evidence && typeof sentence.evidence === "object" ? sentence.evidence : null;
    const support = typeof sentence.support === "number" ? ` ${sentence.support.toFixed(2)}` : "";
    const label = sentence.label === "not_retrieved" ? "supported, not retrieved" : sentence.supported === true ? "supported" : sentence.supported === false ? "not supported" : "not judged";
    return [
      el("div", { class: "head" }, badge(sentence.supported === true ? "passed" : sentence.supported === false ? "failed" : "skipped", label + support)),
      sentence.why ? el("p", {}, sentence.why) : null,
      sentence.label === "not_retrieved" ? el("p", {}, "The documents say it; what was retrieved for the answer does not.") : null,
      evidence && evidence.text ? [
        el("p", { class: "note" }, sentence.supported ? "Evidence: " : "Nearest passage: ", el("b", {}, evidence.filename || "a document"), evidence.page ? `, page ${evidence.page}` : ""),
        el("blockquote", {}, evidence.text)] : el("p", { class: "note" }, "No passage was retrieved for it."),
    ];
  }

  function drawFile(file) {
    const name = file.filename || file.file_id;
    const type = imageType(file.content_base64);
    if (file.kind !== "image" && !type) return el("div", { class: "sources" }, badge("skipped", `📄 ${name}`));
    if (!type) return el("p", { class: "note" }, `Image ${name} (its content was not kept)`);
    return el("figure", {}, el("img", { src: `data:${type};base64,${file.content_base64}`, alt: `Image made by the assistant: ${name}` }), el("figcaption", {}, name));
  }

  /** The media type of an image by its first bytes; undefined for anything else. */
  function imageType(base64) {
    const starts = { iVBORw0KGgo: "image/png", "/9j/": "image/jpeg", R0lGOD: "image/gif", UklGR: "image/webp" };
    const found = Object.keys(starts).find((start) => (base64 || "").startsWith(start));
    return found && starts[found];
  }

  const CALL_TITLES = { file_search: "Searched the documents", code_interpreter: "Ran code" };

  function drawCall(call, images) {
    const results = call.results || [];
    const note = [
      call.type === "file_search" ? counted(results.length, "passage") : null,
      call.latency === undefined ? null : seconds(call.latency),
      call.error ? "error" : null,
    ].filter(Boolean).join(", ");
    const block = (title, text) => text === undefined || text === "" ? null : [el("h4", {}, title), el("pre", {}, text)];
    return el("details", { class: call.error ? "box trouble" : "box", open: call.type !== "file_search" },
      el("summary", {}, CALL_TITLES[call.type] || ["Called ", el("code", {}, call.name)], note ? el("span", { class: "note" }, note) : null),
      el("div", { class: "inside" },
        call.type === "function" ? [block("Arguments", pretty(call.arguments || "")), block("Output", pretty(call.output || ""))] : null,
        call.type === "code_interpreter" ? [block("Code", call.arguments), (call.outputs || []).map((output) => drawOutput(output, images))] : null,
        call.error ? el("p", { class: "alert" }, call.error) : null,
        results.map((result) => el("div", { class: "result" },
          el("p", { class: "note" }, el("b", {}, result.file), result.page ? `, page ${result.page}` : "", `, score ${result.score}`),
          result.text ? el("blockquote", {}, result.text) : el("p", { class: "note" }, "(the target does not show the text)")))));
  }

  function drawOutput(output, images) {
    if (output.type === "logs") return [el("h4", {}, "Log"), el("pre", {}, output.logs || "")];
    const file = images.get(output.file_id);
    return el("p", { class: "note" }, `Made ${file && file.filename ? file.filename : `image ${output.file_id}`}${file ? ", shown in the answer" : ""}`);
  }

  function drawScores(scores) {
    const rank = (score) => (score.passed === false ? 0 : score.passed === true ? 2 : 1);
    return el("ul", { class: "scores", "aria-label": "Checks" }, [...scores].sort((a, b) => rank(a) - rank(b)).map((score) => {
      const state = score.passed === true ? "passed" : score.passed === false ? "failed" : "unscored";
      const sign = { passed: "✓", failed: "✗", unscored: "–" }[state];
      const value = typeof score.value === "number" || typeof score.value === "string" ? ` ${score.value}` : "";
      return el("li", { class: state, title: `scorer: ${score.scorer}` },
        el("b", {}, `${sign} ${score.check}${value}`),
        el("span", { class: "reason" }, state === "passed" ? "" : score.reason || ""),
        score.evidence && Object.keys(score.evidence).length ? lazyDetails("evidence", () =>
          [state === "passed" && score.reason ? el("p", {}, score.reason) : null, ...drawEvidence(score.evidence)]) : null);
    }));
  }

  /** What a judgement rests on: lists of records as tables, the rest as it is. */
  function drawEvidence(evidence) {
    const isRecord = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
    const isTable = (value) => Array.isArray(value) && value.length > 0 && value.every(isRecord);
    const parts = Object.entries(evidence);
    const rest = parts.filter(([, value]) => !isTable(value));
    return [
      ...parts.filter(([, value]) => isTable(value)).map(([name, rows]) => evidenceTable(name, rows)),
      rest.length ? el("pre", {}, JSON.stringify(Object.fromEntries(rest), null, 2)) : null];
  }

  function evidenceTable(name, rows) {
    const columns = [...new Set(rows.flatMap(Object.keys))];
    const cell = (value, column) => {
      if (value === null || value === undefined) return "–";
      if (column === "turn" && Number.isInteger(value)) return String(value + 1); // people count from 1
      if (typeof value === "boolean") return value ? "yes" : "no";
      return typeof value === "object" ? JSON.stringify(value) : String(value);
    };
    return el("div", { class: "evidence-table" }, el("table", {}, el("caption", {}, name),
      el("thead", {}, el("tr", {}, columns.map((column) => el("th", { scope: "col" }, column)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((column) => el("td", {}, cell(row[column], column))))))));
  }

  function lazyDetails(title, draw) {
    const details = el("details", {}, el("summary", {}, title));
    details.addEventListener("toggle", () => { if (details.open) details.append(...draw().filter(Boolean)); }, { once: true });
    return details;
  }

  function drawSteps(turn) {
    const steps = turn.steps || [];
    const attempts = turn.attempts || [];
    if (!steps.length && !attempts.length) return null;
    const row = (step) => el("tr", {},
      el("td", {}, step.type === "tool_calls" ? (step.calls || []).map((call) => call.name).join(", ") || "tool calls" : "message"),
      el("td", {}, step.error ? `${step.status}: ${step.error}` : step.status),
      el("td", {}, seconds(step.took)), el("td", {}, usage(step.usage)));
    const attempt = ([request, count, error, wait]) => el("tr", {},
      el("td", {}, `${request}, try ${count}`), el("td", {}, error || "went through"), el("td", {}, wait ? `waited ${seconds(wait)}` : "–"), el("td", {}));
    return el("details", { class: "box" },
      el("summary", {}, "Run steps", el("span", { class: "note" }, [counted(steps.length, "step"), attempts.length ? counted(attempts.length, "attempt") : null].filter(Boolean).join(", "))),
      el("div", { class: "inside" }, el("table", { class: "steps" },
        el("thead", {}, el("tr", {}, ["Step", "Status", "Took", "Usage"].map((title) => el("th", { scope: "col" }, title)))),
        el("tbody", {}, steps.map(row), attempts.map(attempt)))));
  }

  // ---- evidence cards -------------------------------------------------------------------------------

  const evidenceCard = byId("evidence");
  let pinned = null;

  /** Shows a card on hover, and keeps it on click, Enter or Space until Escape or a click elsewhere. */
  function withCard(node, draw) {
    node.addEventListener("mouseenter", () => { if (!pinned) showEvidence(node, draw()); });
    node.addEventListener("mouseleave", () => { if (!pinned) hideEvidence(); });
    node.addEventListener("click", (event) => {
      event.stopPropagation();
      const again = pinned === node;
      hideEvidence();
      if (again) return;
      showEvidence(node, draw());
      pinned = node;
    });
    node.addEventListener("keydown", (event) => {
      if (node.tagName === "BUTTON" || (event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
      node.click();
    });
    return node;
  }

  function showEvidence(node, children) {
    evidenceCard.replaceChildren(...children.flat(2).filter(Boolean));
    evidenceCard.hidden = false;
    node.classList.add("lit");
    const around = node.getClientRects()[0] || node.getBoundingClientRect();
    const card = evidenceCard.getBoundingClientRect();
    const left = Math.min(Math.max(8, around.left), innerWidth - card.width - 8);
    const below = node.getBoundingClientRect().bottom + 6;
    const top = below + card.height < innerHeight ? below : Math.max(8, around.top - card.height - 6);
    evidenceCard.style.left = `${left}px`;
    evidenceCard.style.top = `${top}px`;
  }

  function hideEvidence() {
    pinned = null;
    evidenceCard.hidden = true;
    for (const node of document.querySelectorAll(".lit")) node.classList.remove("lit");
  }

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
    else if (!evidenceCard.contains(event.target)) hideEvidence();
  });
  dialog.addEventListener("cancel", (event) => {
    if (evidenceCard.hidden) return;
    event.preventDefault(); // the first Escape closes the card, the second the transcript
    hideEvidence();
  });
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // it was opened again, to be printed
    latest += 1;
    hideEvidence();
    history.replaceState(null, "", location.pathname + location.search);
  });
  // A modal dialog prints its first page only; one that is not modal prints them all.
  let printed = false;
  const reopen = (open) => { dialog.close(); open.call(dialog); };
  addEventListener("beforeprint", () => {
    printed = dialog.open;
    hideEvidence();
    if (printed) reopen(dialog.show);
  });
  addEventListener("afterprint", () => { if (printed) reopen(dialog.showModal); });
  dialog.addEventListener("scroll", () => { if (!pinned) hideEvidence(); }, true);

  // ---- start ----------------------------------------------------------------------------------------

  function openFromAddress() {
    let wanted = "";
    try {
      wanted = decodeURIComponent(location.hash.slice(1));
    } catch {
      return; // not an address of ours
    }
    if (trialIds.has(wanted)) openTrial(wanted);
  }

  async function start() {
    if (typeof DecompressionStream === "undefined") {
      byId("fallback-note").textContent = "This browser is too old to unpack the transcripts inside this page; a current one can.";
      return;
    }
    const index = await content(byId("data-index"));
    rows = readRows(index);
    for (const row of rows) for (const trial of row.trials) trialIds.set(trial[0], { row, trial });
    drawHead(index);
    fillFilters(index);
    byId("fallback").hidden = true;
    byId("rows").hidden = byId("filters").hidden = rows.length === 0;
    refresh();
    addEventListener("hashchange", openFromAddress);
    openFromAddress();
    document.documentElement.dataset.ready = "true";
  }

  start();
})();
