/** File names that a shell, cron, systemd, XML or Windows could take for something else. */
export const HARD_NAMES: readonly string[] = [
  "plain.toml",
  "a space.toml",
  "Ann's.toml",
  "100%.toml",
  "%h %% \\% %i.toml",
  '$HOME ${HOME} "quoted".toml',
  "a;b&c<d>|e`id`.toml",
  "back\\slash\\.toml",
  "colon:semi;hash#.toml",
  "Zoë 東京 🏠.toml",
];
