"use strict";
// Draws the plots of a comparison from the sums in #data.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const get = (id) => document.getElementById(id);
  const WAYS = Object.keys(data.ways);
  // Okabe and Ito's colours, told apart by everyone.
  const COLOURS = { profiles: "#D55E00", sample: "#E69F00", smart_meters: "#0072B2" };
  const UNITS = { error: "%", paid: "EUR/MWh", corrected: "%" };
  const chosen = { measure: "error", brp: 0, day: 0 };
  const charts = {};
  const shown = (value, digits) => value.toFixed(digits).replace("-", "−");
  const axis = (value) => String(value).replace("-", "−");
  const font = () => ({ fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 });

  function draw(node, option) {
    const id = node.id;
    charts[id] = charts[id] || echarts.init(node, null, { renderer: "svg" });
    charts[id].setOption(Object.assign({ animation: false, textStyle: font() }, option), true);
  }

  function drawTotal(measure) {
    const ends = WAYS.map((way) => data.totals[way][measure]);
    const most = Math.max(...ends.flat());
    const lines = ends.map((e, i) => (e.length < 3 ? null : [{ coord: [e[1], i] }, { coord: [e[2], i] }])).filter(Boolean);
    draw(get("total-" + measure), {
      grid: { left: 8, right: 14, top: 8, bottom: 26, containLabel: true },
      xAxis: { type: "value", max: Math.ceil(most * 1.1), splitNumber: 3, name: UNITS[measure], nameLocation: "middle", nameGap: 24, axisLabel: { formatter: axis } },
      yAxis: {
        type: "category", inverse: true, axisTick: { show: false },
        data: ends.map((e, i) => data.ways[WAYS[i]] + "\n" + shown(e[0], measure === "paid" ? 2 : 1) + " " + UNITS[measure]),
        axisLabel: {
          lineHeight: 17,
          formatter: (label) => label.replace(/\n(.*)/, "\n{big|$1}"),
          rich: { big: { fontWeight: "bold", fontSize: 14, color: "#1b2733" } },
        },
      },
      series: [{
        type: "bar", barWidth: "52%",
        data: ends.map((e, i) => ({ value: e[0], itemStyle: { color: COLOURS[WAYS[i]] } })),
        markLine: { silent: true, symbol: ["none", "none"], lineStyle: { color: "#111", type: "solid", width: 1.6 }, label: { show: false }, data: lines },
      }],
    });
  }

  function drawNet() {
    draw(get("net"), {
      legend: { top: 0, left: 0 },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: (v) => shown(v, 2) + " EUR per MWh" },
      grid: { left: 8, right: 20, top: 36, bottom: 30, containLabel: true },
      xAxis: { type: "value", name: "EUR per MWh of its customers", nameLocation: "middle", nameGap: 26, axisLabel: { formatter: axis } },
      yAxis: { type: "category", inverse: true, data: data.suppliers, axisTick: { show: false }, axisLine: { onZero: false } },
      series: WAYS.map((way) => ({ name: data.ways[way], type: "bar", color: COLOURS[way], barGap: "0%", barCategoryGap: "28%", data: data.net[way] })),
    });
  }

  function drawSweeps() {
    const value = (sweep, way) => sweep[way].map((v, i) => [100 * sweep.shares[i], v[chosen.measure]]);
    const most = Math.max(...data.sweeps.flatMap((s) => WAYS.flatMap((way) => value(s, way).map((p) => p[1]))));
    data.sweeps.forEach((sweep, i) => {
      draw(get("sweep-" + i), {
        tooltip: { trigger: "axis", valueFormatter: (v) => shown(v, 2) + " " + UNITS[chosen.measure] },
        grid: { left: 8, right: 14, top: 30, bottom: 24, containLabel: true },
        xAxis: { type: "value", max: 100 * Math.max(...sweep.shares), name: "% of small connections", nameLocation: "middle", nameGap: 24, splitNumber: 4 },
        // One scale for all, so that they can be compared.
        yAxis: { type: "value", name: UNITS[chosen.measure], nameTextStyle: { align: "right" }, max: Math.ceil(most), splitNumber: 4, axisLabel: { formatter: axis } },
        series: WAYS.map((way) => ({ name: data.ways[way], type: "line", color: COLOURS[way], symbolSize: 6, lineStyle: { width: 2 }, data: value(sweep, way) })),
      });
    });
  }

  function drawQuarters() {
    let first = 0;
    for (let d = 0; d < chosen.day; d += 1) first += data.clock[d].length;
    const labels = data.clock[chosen.day];
    draw(get("quarters"), {
      legend: { top: 0, left: 0 },
      tooltip: { trigger: "axis", valueFormatter: (v) => shown(v, 3) + " kWh" },
      grid: { left: 8, right: 20, top: 50, bottom: 26, containLabel: true },
      xAxis: { type: "category", data: labels, name: "local time", nameLocation: "middle", nameGap: 26, axisLine: { onZero: false }, axisLabel: { interval: (i) => i % 12 === 0 } },
      yAxis: { type: "value", name: "kWh per quarter-hour", nameTextStyle: { align: "left" }, axisLabel: { formatter: axis } },
      series: WAYS.map((way) => ({
        name: data.ways[way], type: "line", symbol: "none", step: "middle", color: COLOURS[way],
        lineStyle: { width: way === "smart_meters" ? 2.4 : 1.6 },
        data: data.position[way][chosen.brp].slice(first, first + labels.length).map((wh) => wh / 1000),
      })),
    });
  }

  function choose(id, names, redraw) {
    names.forEach((name, i) => get(id).add(new Option(name, i)));
    get(id).addEventListener("change", () => { chosen[id] = names.length ? Number(get(id).value) : get(id).value; redraw(); });
  }

  function start() {
    document.body.classList.add("drawn");
    for (const way of WAYS) {
      const entry = document.createElement("span"), dot = document.createElement("i");
      dot.className = "dot";
      dot.style.background = COLOURS[way];
      entry.append(dot, data.ways[way] + "\u2003");
      get("legend").append(entry);
    }
    data.sweeps.forEach((sweep, i) => {
      const figure = document.createElement("figure"), caption = document.createElement("figcaption"), box = document.createElement("div");
      caption.textContent = "How many " + sweep.words;
      box.id = "sweep-" + i;
      box.className = "chart low";
      figure.append(caption, box);
      get("sweeps").append(figure);
    });
    choose("measure", [], drawSweeps);
    choose("brp", data.brps, drawQuarters);
    choose("day", data.days, drawQuarters);
    ["error", "paid", "corrected"].forEach(drawTotal);
    drawNet();
    drawSweeps();
    drawQuarters();
    const resize = () => Object.values(charts).forEach((chart) => chart.resize());
    ["resize", "beforeprint", "afterprint"].forEach((when) => window.addEventListener(when, resize));
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
