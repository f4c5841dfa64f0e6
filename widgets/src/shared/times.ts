// Durations and moments as people read them. Every argument is in milliseconds.

/** How long something took or has been going on: "840 ms", "12.4 s", "3 min 20 s", "2 h 5 min". */
export function duration(ms: number, ticking = false): string {
  const span = Math.max(0, ms);
  if (ticking && span < 60_000) return `${Math.floor(span / 1000)} s`;
  if (span < 1) return "< 1 ms";
  if (span < 1000) return `${Math.round(span)} ms`;
  if (span < 59_950) return `${(span / 1000).toFixed(1)} s`;
  const seconds = Math.round(span / 1000);
  if (seconds < 3600) return pair(seconds, 60, "min", "s");
  if (seconds < 86_400) return pair(Math.round(seconds / 60), 60, "h", "min");
  return pair(Math.round(seconds / 3600), 24, "d", "h");
}

function pair(count: number, size: number, big: string, small: string): string {
  const rest = count % size;
  return `${Math.floor(count / size)} ${big}${rest ? ` ${rest} ${small}` : ""}`;
}

/** When something was or will be, seen from `now`: "just now", "5 min ago", "in 12 s". */
export function relative(at: number, now: number): string {
  const away = at - now;
  const seconds = Math.round(Math.abs(away) / 1000);
  if (seconds < 3) return away > 1000 ? `in ${seconds} s` : "just now";
  const span = coarse(seconds);
  return away > 0 ? `in ${span}` : `${span} ago`;
}

function coarse(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h`;
  const days = Math.round(seconds / 86_400);
  return days === 1 ? "1 day" : `${days} days`;
}

/** The local date and time with seconds. */
export function absolute(at: number): string {
  return new Date(at).toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "medium",
  });
}

/**
 * The same with the zone, which tells the two hours apart when clocks go back: "2:30:00 CEST".
 * In the local zone if none is named, or if the browser does not know it.
 */
export function withZone(at: number, timeZone?: string): string {
  const how: Intl.DateTimeFormatOptions = {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  };
  try {
    return new Date(at).toLocaleString(undefined, { ...how, timeZone });
  } catch {
    return new Date(at).toLocaleString(undefined, how);
  }
}

/** The local time of day to the millisecond, as in a log. */
export function clockTime(at: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString(undefined, { hour12: false });
  return `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
