/** CPU time of this process in nanoseconds. User and system together: only their sum is exact. */
export function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}
