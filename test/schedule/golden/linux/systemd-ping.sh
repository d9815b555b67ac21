# A service that pings, and a timer that starts it every 5 minutes. Run by a shell, as root,
# this writes the two files and nothing else; "systemctl enable --now dynip-ping.timer" starts it.
set -e
cat > /etc/systemd/system/dynip-ping.service <<'END'
[Unit]
Description=dynip ping, which tells the server where this machine is
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
# root reads the configuration and passes it on, so it may be anywhere, and root's alone.
LoadCredential=dynip.toml:/home/ann/dynip.toml
ExecStart=/usr/local/bin/dynip ping ${CREDENTIALS_DIRECTORY}/dynip.toml
# They would make dynip run other code than its own.
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN BUN_INSPECT
# It gives up by itself, after 40 seconds of silence or a few times that.
TimeoutStartSec=4min
# Nothing in the journal on a good run, every 5 minutes.
LogLevelMax=notice
CapabilityBoundingSet=
# The last two are what looking up a host name may take.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
DynamicUser=yes
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute: JavaScript's just-in-time compiler would be off, and all of it slow.
END
cat > /etc/systemd/system/dynip-ping.timer <<'END'
[Unit]
Description=dynip ping, every 5 minutes

[Timer]
OnBootSec=15s
OnCalendar=*:0/5
# Not all machines in the same second.
RandomizedDelaySec=30s

[Install]
WantedBy=timers.target
END
