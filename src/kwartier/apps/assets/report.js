"use strict";
// Draws the plots of the report from the sums in #data. Energy comes as whole Wh.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const has = document.body.dataset.has.split(" ");
  const get = (id) => document.getElementById(id);
  // Okabe and Ito's colours, told apart by everyone.
  const BRP_COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442"];
  const OTHERS = "#A0A8B0";
  const METHODS = {
    MSR: ["measured", "#0072B2"],
    CMR: ["from readings", "#E69F00"],
    GMR: ["from annual volume", "#D55E00"],
    NCD: ["de-energised", "#999999"],
    CLC: ["calculated", OTHERS],
    PRF: ["by profile", "#CC79A7"],
    TMT: ["telemetry", "#009E73"],
    DIM: ["unmetered", "#F0E442"],
    NVL: ["grid loss", "#333333"],
  };
  // From the axis outwards; those of a group as above.
  const LINES = {
    SMA: ["smart meter", METHODS.MSR[1]],
    PRF: METHODS.PRF,
    TMT: METHODS.TMT,
    DIM: METHODS.DIM,
    NVL: METHODS.NVL,
    RST: ["borne by nobody", OTHERS],
    NKP: ["couplings", "#56B4E9"],
  };
  const STATES = { before: ["#D55E00", "dashed"], now: ["#0072B2", "solid"] };
  const SEVERITIES = { error: "#D55E00", warning: "#E69F00", info: "#56B4E9" };
  const DIRECTIONS = { E17: ["offtake", "#0072B2"], E18: ["infeed", "#E69F00"] };
  const charts = {};
  const chosen = { day: 0, direction: "E17", area: -1, measure: "energy" };

  const here = (area) => chosen.area < 0 || area === chosen.area;
  const grouped = (number, digits) =>
    number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
      .replace(/,/g, "\u202f");
  const kwh = (wh) => (wh === null || wh === undefined ? "–" : grouped(wh / 1000, 3) + " kWh");
  const percent = (value) => (value === null ? "–" : grouped(value, 2) + " %");
  const count = (value) => grouped(value, 0);
  const shortKwh = (wh) =>
    grouped(wh / 1000, wh % 1000 === 0 ? 0 : wh % 100 === 0 ? 1 : wh % 10 === 0 ? 2 : 3).replace("-", "−");

  /** Add vectors of a day; a period that none of them has stays a hole. */
  function added(rows, periods) {
    const sum = new Array(periods).fill(null);
    for (const row of rows) {
      row[row.length - 1].forEach((wh, i) => { if (wh !== null) sum[i] = (sum[i] || 0) + wh; });
    }
    return sum;
  }

  const ofDay = (rows) =>
    rows.filter((r) => r[0] === chosen.day && here(r[1]) && r[2] === chosen.direction);
  const clock = () => data.clocks[data.clock[chosen.day]];

  function base(more) {
    return Object.assign({
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 },
      legend: { top: 0, left: 0, itemWidth: 14, itemHeight: 10, itemGap: 14, type: "scroll" },
      grid: { left: 8, right: 14, top: 44, bottom: 8, containLabel: true },
    }, more);
  }

  function draw(id, option) {
    charts[id] = charts[id] || echarts.init(get(id), null, { renderer: "svg" });
    charts[id].setOption(option, true);
  }

  function clockAxis(labels, more) {
    return Object.assign({
      type: "category", data: labels, axisTick: { show: false },
      // Full hours, every third; the doubled hour of autumn is named in both its zones.
      axisLabel: {
        interval: (i, label) => {
          const wide = get("chart-day").clientWidth > 620;
          if (!/:00( |$)/.test(label)) return false;
          if (/ /.test(label)) return wide || !/ /.test(labels[i - 4] || "");
          return Number(label.slice(0, 2)) % (wide ? 3 : 6) === 0 && !/ /.test(labels[i - 1] || "");
        },
        formatter: (label) => label.replace(" ", "\n"), lineHeight: 14,
      },
    }, more);
  }

  const until = (labels, i) => (i + 1 < labels.length ? labels[i + 1] : "24:00");
  function quarterHead(items) {
    const labels = clock(), i = items[0].dataIndex;
    return "<b>" + labels[i] + " – " + until(labels, i) + "</b> · quarter " + (i + 1) + " of " + labels.length;
  }
  function quarterTip(items, values) {
    const lines = items.filter((x) => x.value !== null && x.value !== undefined)
      .map((x) => x.marker + echarts.format.encodeHTML(x.seriesName) + " <b>" + kwh(x.value) + "</b>");
    return [quarterHead(items)].concat(lines, values || []).join("<br>");
  }

  function drawDay() {
    const labels = clock(), rows = ofDay(data.volumes);
    const shown = data.brps.length > BRP_COLOURS.length + 1 ? BRP_COLOURS.length : data.brps.length;
    const stacks = data.brps.slice(0, shown).map((name, b) => [name, BRP_COLOURS[b] || OTHERS, rows.filter((r) => r[3] === b)]);
    if (shown < data.brps.length) {
      stacks.push(["other BRPs (" + (data.brps.length - shown) + ")", OTHERS, rows.filter((r) => r[3] >= shown)]);
    }
    const series = stacks.filter((s) => s[2].length).map(([name, colour, part]) => ({
      name, type: "bar", stack: "all", color: colour, barCategoryGap: "8%", data: added(part, labels.length),
    }));
    series.push({
      name: "not measured", type: "line", color: "#111111", symbol: "none", step: "middle",
      lineStyle: { width: 1.5, type: "dashed" }, data: added(ofDay(data.calculated), labels.length),
    });
    const all = added(rows, labels.length);
    draw("chart-day", base({
      tooltip: {
        trigger: "axis",
        formatter: (items) => quarterTip(items, ["in all <b>" + kwh(all[items[0].dataIndex]) + "</b>"]),
      },
      xAxis: clockAxis(labels),
      yAxis: { type: "value", name: "kWh per quarter", nameTextStyle: { align: "left" }, axisLabel: { formatter: shortKwh } },
      series,
    }));
  }

  /** Draw what goes out above the axis and what comes in below it. */
  function drawBalance() {
    const labels = clock();
    const rows = data.closing.lines.filter((r) => r[0] === chosen.day && here(r[1]));
    const series = [];
    for (const [direction, sign] of [["E17", 1], ["E18", -1]]) {
      for (const [line, [name, colour]] of Object.entries(LINES)) {
        const part = rows.filter((r) => r[2] === line && r[3] === direction);
        if (!part.length) continue;
        const values = added(part, labels.length).map((wh) => (wh === null ? null : sign * wh));
        if (values.some((wh) => wh)) {
          series.push({ name, type: "bar", stack: "all", color: colour, barCategoryGap: "8%", data: values, sign });
        }
      }
    }
    draw("chart-balance", base({
      tooltip: {
        trigger: "axis",
        formatter: (items) => {
          const side = (word, sign) => {
            const mine = items.filter((x) => series[x.seriesIndex].sign === sign && x.value !== null);
            const all = mine.reduce((sum, x) => sum + sign * x.value, 0);
            return [word + " <b>" + kwh(all) + "</b>"].concat(
              mine.map((x) => x.marker + x.seriesName + " " + kwh(sign * x.value)));
          };
          return [quarterHead(items)].concat(side("goes out", 1), side("comes in", -1)).join("<br>");
        },
      },
      xAxis: clockAxis(labels, { axisLine: { onZero: false } }),
      yAxis: {
        type: "value", name: "out ↑  in ↓  kWh per quarter", nameTextStyle: { align: "left" },
        axisLabel: { formatter: (wh) => shortKwh(Math.abs(wh)) },
      },
      series,
    }));
  }

  /** Draw the residual above its factor, now and before. */
  function drawFactor() {
    const labels = clock(), [low, high] = data.closing.band, series = [];
    for (const [state, [colour, kind]] of Object.entries(STATES)) {
      const rows = (data.closing[state] || []).filter((r) => r[0] === chosen.day && here(r[1]));
      if (!rows.length) continue;
      const left = added(rows.map((r) => [r[2]]), labels.length);
      const assumed = added(rows.map((r) => [r[3]]), labels.length);
      // The factor of one area is as it was made; of all together it is that of their sums.
      const factor = rows.length === 1
        ? rows[0][4].map((f) => (f === null ? null : f / 1e5))
        : left.map((wh, i) => (assumed[i] ? wh / assumed[i] : null));
      const line = { name: state, type: "line", symbol: "none", color: colour, lineStyle: { width: state === "now" ? 2.2 : 1.5, type: kind } };
      series.push(Object.assign({ data: left }, line));
      series.push(Object.assign({ data: factor, xAxisIndex: 1, yAxisIndex: 1 }, line));
    }
    if (series.length) {
      series[series.length - 1].markArea = {
        silent: true, itemStyle: { color: "rgba(0, 158, 115, 0.13)" },
        label: { show: false }, data: [[{ yAxis: low }, { yAxis: high }]],
      };
    }
    const of = (items, axis) => items.filter((x) => (series[x.seriesIndex].yAxisIndex || 0) === axis && x.value !== null);
    draw("chart-factor", base({
      tooltip: {
        trigger: "axis",
        formatter: (items) => [quarterHead(items)].concat(
          of(items, 0).map((x) => x.marker + "residual " + x.seriesName + " <b>" + kwh(x.value) + "</b>"),
          of(items, 1).map((x) => x.marker + "RCF " + x.seriesName + " <b>" + grouped(x.value, 5) + "</b>"),
        ).join("<br>"),
      },
      axisPointer: { link: [{ xAxisIndex: "all" }] },
      grid: [
        { left: 64, right: 14, top: 50, height: 150 },
        { left: 64, right: 14, top: 245, bottom: 34 },
      ],
      xAxis: [
        clockAxis(labels, { axisLabel: { show: false }, axisLine: { onZero: false } }),
        clockAxis(labels, { gridIndex: 1, axisLine: { onZero: false } }),
      ],
      yAxis: [
        { type: "value", name: "residual, kWh per quarter", nameTextStyle: { align: "left" }, splitNumber: 4, axisLabel: { formatter: shortKwh } },
        {
          type: "value", name: "RCF; the band is where nothing is found", nameTextStyle: { align: "left" }, gridIndex: 1, splitNumber: 4,
          min: (range) => Math.min(low - 0.1, Math.floor(range.min * 5) / 5),
          max: (range) => Math.max(high + 0.1, Math.ceil(range.max * 5) / 5),
          axisLabel: { formatter: (value) => grouped(value, 2).replace("-", "−") },
        },
      ],
      series,
    }));
  }

  /** Sum rows [key, …, method, quarters, Wh] to per cent of each key, by method. */
  function shares(rows, keyOf) {
    const sums = new Map();
    for (const row of rows) {
      const [method, quarters, wh] = row.slice(-3);
      const of = sums.get(keyOf(row)) || { all: 0 };
      const value = chosen.measure === "energy" ? wh : quarters;
      of[method] = (of[method] || 0) + value;
      of.all += value;
      sums.set(keyOf(row), of);
    }
    return (key, method) => {
      const of = sums.get(key);
      return of && of.all ? (100 * (of[method] || 0)) / of.all : null;
    };
  }

  function drawShares() {
    const mine = (r) => r[r.length - 4] === chosen.direction;
    const brpRows = data.by_brp.filter((r) => here(r[0]) && mine(r));
    const dayRows = data.by_day.filter((r) => here(r[1]) && mine(r));
    const there = Object.keys(METHODS).filter((m) => brpRows.concat(dayRows).some((r) => r[r.length - 3] === m));
    const brps = data.brps.filter((b) => brpRows.some((r) => r[1] === b)).slice(0, 20).reverse();
    const ofBrp = shares(brpRows, (r) => r[1]), ofDay = shares(dayRows, (r) => r[0]);
    const bars = (methods, keys, value) => methods.map((m) => ({
      name: METHODS[m][0], type: "bar", stack: "all", color: METHODS[m][1], barMaxWidth: 34,
      barCategoryGap: "25%", data: keys.map((k) => value(k, m)),
    }));
    draw("chart-share", base({
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: percent },
      xAxis: { type: "value", max: 100, axisLabel: { formatter: "{value} %" } },
      yAxis: { type: "category", data: brps, axisTick: { show: false } },
      series: bars(there, brps, ofBrp),
    }));
    const days = data.days.map((_, i) => i);
    draw("chart-share-day", base({
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: percent },
      xAxis: { type: "category", data: data.days, axisTick: { show: false }, axisLabel: { hideOverlap: true } },
      yAxis: { type: "value", axisLabel: { formatter: "{value} %" } },
      series: bars(there.filter((m) => m !== "MSR" && m !== "TMT"), days, ofDay),
    }));
  }

  function drawFindings() {
    const rules = data.rules.slice().sort((a, b) => a[2] - b[2]).slice(-14);
    const names = [...new Set(rules.map((r) => r[0]))];
    const bySeverity = (rows, keys) => Object.keys(SEVERITIES).map((s) => ({
      name: s, type: "bar", stack: "all", color: SEVERITIES[s], barMaxWidth: 34, barCategoryGap: "25%",
      data: keys.map((k) => { const r = rows.find((row) => row[0] === k && row[1] === s); return r ? r[2] : null; }),
    }));
    const tip = { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: (v) => (v ? count(v) : "–") };
    get("chart-rules").style.height = Math.max(240, 90 + 24 * names.length) + "px";
    get("chart-finding-days").style.height = get("chart-rules").style.height;
    draw("chart-rules", base({
      tooltip: tip,
      xAxis: { type: "value", minInterval: 1, axisLabel: { formatter: count, hideOverlap: true } },
      yAxis: { type: "category", data: names, axisTick: { show: false } },
      series: bySeverity(rules, names),
    }));
    const days = [...new Set(data.days.concat(data.finding_days.map((r) => r[0])))].sort();
    draw("chart-finding-days", base({
      tooltip: tip,
      xAxis: { type: "category", data: days, axisTick: { show: false }, axisLabel: { hideOverlap: true } },
      yAxis: { type: "value", minInterval: 1, axisLabel: { formatter: count } },
      series: bySeverity(data.finding_days, days),
    }));
  }

  function drawTruth() {
    const labels = clock(), name = data.comparison_name;
    const ours = added(ofDay(data.compared.allocated), labels.length);
    const truth = added(ofDay(data.compared.truth), labels.length);
    const error = ours.map((wh, i) => (wh === null ? null : wh - truth[i]));
    draw("chart-truth", base({
      tooltip: { trigger: "axis", formatter: (items) => quarterTip(items) },
      axisPointer: { link: [{ xAxisIndex: "all" }] },
      grid: [
        { left: 64, right: 14, top: 50, height: 205 },
        { left: 64, right: 14, top: 300, bottom: 34 },
      ],
      xAxis: [
        clockAxis(labels, { axisLabel: { show: false } }),
        clockAxis(labels, { gridIndex: 1, axisLine: { onZero: false } }),
      ],
      yAxis: [
        { type: "value", name: "kWh per quarter", nameTextStyle: { align: "left" }, axisLabel: { formatter: shortKwh } },
        { type: "value", name: "difference", nameTextStyle: { align: "left" }, gridIndex: 1, splitNumber: 3, axisLabel: { formatter: shortKwh } },
      ],
      series: [
        { name: "allocated", type: "line", symbol: "none", color: "#56B4E9", lineStyle: { width: 4 }, data: ours },
        { name, type: "line", symbol: "none", color: "#111111", lineStyle: { width: 1.3, type: "dashed" }, data: truth },
        { name: "allocated less " + name, type: "bar", color: "#D55E00", xAxisIndex: 1, yAxisIndex: 1, barCategoryGap: "15%", data: error },
      ],
    }));
  }

  function drawErrors() {
    const rows = data.compared.by_brp, keys = Object.keys(DIRECTIONS);
    const brps = data.brps.filter((b) => rows.some((r) => r[0] === b)).slice(0, 20).reverse();
    const value = (b, d, of) => {
      const row = rows.find((r) => r[0] === b && r[1] === d);
      return row && row[3] ? (100 * of(row)) / row[3] : null;
    };
    draw("chart-errors", base({
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: percent },
      xAxis: { type: "value", axisLabel: { formatter: "{value} %" } },
      yAxis: { type: "category", data: brps, axisTick: { show: false } },
      series: keys.flatMap((d) => [
        { name: DIRECTIONS[d][0] + ", in all", type: "bar", color: DIRECTIONS[d][1], barMaxWidth: 14, data: brps.map((b) => value(b, d, (r) => r[2] - r[3])) },
        { name: DIRECTIONS[d][0] + ", quarter by quarter", type: "bar", color: DIRECTIONS[d][1], itemStyle: { opacity: 0.45 }, barMaxWidth: 14, data: brps.map((b) => value(b, d, (r) => r[4])) },
      ]),
      legend: { top: 0, left: 0, itemWidth: 14, itemHeight: 10, itemGap: 12 },
      grid: { left: 8, right: 14, top: 56, bottom: 8, containLabel: true },
    }));
    draw("chart-classes", base({
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: count },
      xAxis: { type: "category", data: data.compared.classes, axisTick: { show: false }, axisLabel: { rotate: 45, interval: 0, fontSize: 11 } },
      yAxis: { type: "value", minInterval: 1, axisLabel: { formatter: count } },
      series: keys.map((d) => ({
        name: DIRECTIONS[d][0], type: "bar", stack: "all", color: DIRECTIONS[d][1], barCategoryGap: "6%", data: data.compared.counts[d],
      })),
      grid: { left: 8, right: 14, top: 56, bottom: 8, containLabel: true },
    }));
  }

  function redraw() {
    if (has.includes("days")) { drawDay(); drawShares(); }
    if (has.includes("closing")) { drawBalance(); drawFactor(); }
    if (has.includes("comparison") && has.includes("days")) drawTruth();
    get("before").disabled = chosen.day <= 0;
    get("after").disabled = chosen.day >= data.days.length - 1;
  }

  function fill(id, options, choose) {
    for (const [value, text] of options) get(id).add(new Option(text, value));
    get(id).addEventListener("change", () => { choose(get(id).value); redraw(); });
  }

  function start() {
    document.body.classList.add("drawn");
    fill("day", data.days.map((day, i) => {
      const n = data.clocks[data.clock[i]].length;
      return [i, n === 96 ? day : day + " (clock change: " + n + " quarters)"];
    }), (value) => { chosen.day = Number(value); });
    fill("direction", [], (value) => { chosen.direction = value; });
    fill("area", [[-1, "all"]].concat(data.areas.map((a, i) => [i, a])), (value) => { chosen.area = Number(value); });
    fill("measure", [], (value) => { chosen.measure = value; });
    const step = (by) => { chosen.day += by; get("day").value = chosen.day; redraw(); };
    get("before").addEventListener("click", () => step(-1));
    get("after").addEventListener("click", () => step(1));
    redraw();
    if (has.includes("findings")) drawFindings();
    if (has.includes("comparison") && has.includes("days")) drawErrors();
    const resize = () => Object.values(charts).forEach((chart) => chart.resize());
    window.addEventListener("resize", resize);
    window.addEventListener("beforeprint", resize);
    window.addEventListener("afterprint", resize);
  }

  try {
    if (!window.echarts) throw new Error("the chart library is not there");
    start();
  } catch (error) {
    // The tables stay; the page says that the plots are missing.
    document.body.classList.remove("drawn");
    console.error(error);
  }
})();
