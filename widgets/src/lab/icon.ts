// The seven stars, in the colour of the icons around them.
const STARS = [[5, 4, 2], [18, 5.5, 1.7], [9, 12.2, 1.6], [11.7, 11.4, 1.6], [14.4, 10.6, 1.6], [6.5, 20, 1.7], [19, 19, 2.1]];

const dots = STARS.map(([x, y, r]) => `<circle cx="${x}" cy="${y}" r="${r}"/>`).join("");
const lines = "M5 4l4 8.2L6.5 20M18 5.5l-3.6 5.1L19 19";

export const icon = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">
<g class="jp-icon3" fill="#616161">${dots}</g>
<path class="jp-icon3 jp-icon-stroke" d="${lines}" fill="none" stroke="#616161" stroke-width="1" opacity=".7"/>
</svg>`;
