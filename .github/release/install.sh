#!/bin/sh
# Installs dynip @VERSION@ on Linux and macOS:
#
#     curl -fsSL @BASE@/install.sh | sh
#
# It downloads the archive for this system, compares its SHA-256 sum with the one below, and puts the
# program into /usr/local/bin, or into ~/.local/bin if you may not write there. When it fails, it removes
# what it wrote. The last line starts it, so a download of this script that was cut off does nothing.

VERSION='@VERSION@'
BASE='@BASE@'
# One line for each target: its name, the SHA-256 sum of its archive, and the space that both need in KiB.
ARCHIVES='@ARCHIVES@'

main() {
  set -eu
  umask 022
  find_target
  find_archive
  find_tools
  find_folder
  make_workspace
  fetch_archive
  unpack_program
  put_program
  say_next_steps
}

# Sets `target`, such as linux-x64-musl.
find_target() {
  case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) die "it is not released for this system, $(uname -s)" \
      "for Windows there is $BASE/install.ps1" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) processor=x64 ;;
    aarch64 | arm64) processor=arm64 ;;
    *) die "it is not released for this processor, $(uname -m)" \
      "there are x86_64 and arm64" ;;
  esac
  # A 32-bit system may run on a 64-bit kernel, as Raspberry Pi OS does.
  if [ "$(getconf LONG_BIT 2>/dev/null || :)" = 32 ]; then
    die "it is not released for 32-bit systems, and this is one, on a 64-bit kernel"
  fi
  target=$system-$processor
  if [ "$system" = linux ]; then
    find_libc
    [ "$libc" = glibc ] || target=$target-musl
  fi
}

# Sets `libc` to the C library of this system's programs: glibc or musl. Both may be installed.
find_libc() {
  if getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
    libc=glibc
    return
  fi
  # musl's ldd has no --version, but says what it is.
  case $(ldd --version 2>&1 || :) in
    *musl*) libc=musl ;;
    *GLIBC* | *"GNU libc"*) libc=glibc ;;
    *) die "neither getconf nor ldd says whether this system has glibc or musl" \
      "download the archive for your system from $BASE" ;;
  esac
}

# Sets `sum` and `space` from the target's line in `ARCHIVES`.
find_archive() {
  archive=dynip-$target.tar.gz
  while read -r name sum space; do
    [ "$name" != "$target" ] || return 0
  done <<END
$ARCHIVES
END
  die "this release has nothing for $target"
}

find_tools() {
  has curl || has wget || die "there is neither curl nor wget" "install one of them"
  has sha256sum || has shasum || has openssl ||
    die "there is no sha256sum, shasum or openssl to check the download" "install one of them"
  for tool in tar gzip mktemp; do
    has "$tool" || die "there is no $tool" "install it"
  done
}

# Sets `bin`, the folder for the program.
find_folder() {
  bin=/usr/local/bin
  if [ "$(id -u)" != 0 ] && [ ! -w "$bin" ]; then
    [ -n "${HOME:-}" ] || die "HOME is not set" "or run this as root"
    bin=$HOME/.local/bin
  fi
  # mv would move the program into it.
  [ ! -d "$bin/dynip" ] || die "$bin/dynip is a folder" "remove it first"
  old=
  if [ -e "$bin/dynip" ]; then
    old=$("$bin/dynip" --version 2>/dev/null </dev/null) || :
    case $old in
      "dynip "*) ;;
      *) die "$bin/dynip is another program, or a broken dynip" \
        "remove it first" ;;
    esac
  fi
}

# Makes `work`, a folder beside the program, so that a rename puts the program in its place.
make_workspace() {
  work='' made='' made_parent=''
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  parent=${bin%/bin}
  if [ ! -d "$parent" ]; then
    mkdir "$parent" || die "the folder cannot be made: $parent"
    made_parent=$parent
  fi
  if [ ! -d "$bin" ]; then
    mkdir "$bin" || die "the folder cannot be made: $bin"
    made=$bin
  fi
  free=$(df -Pk "$bin" | sed -n 's/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p')
  [ "${free:-$space}" -ge "$space" ] ||
    die "$bin has $free KiB of space, and it needs $space KiB"
  work=$(mktemp -d "$bin/.dynip.XXXXXX") || die "$bin cannot be written to"
}

# Removes the folders that this script made. One with a program in it stays.
clean_up() {
  [ -z "$work" ] || rm -rf "$work"
  [ -z "$made" ] || rmdir "$made" 2>/dev/null || :
  [ -z "$made_parent" ] || rmdir "$made_parent" 2>/dev/null || :
}

fetch_archive() {
  echo "Downloading dynip $VERSION for $target"
  download "$BASE/$archive" "$work/$archive" || die "$BASE/$archive cannot be downloaded"
  found=$(sum_of "$work/$archive")
  [ "$found" = "$sum" ] || die "the SHA-256 sum of $archive is
  $found, must be
  $sum" "the download is damaged or was changed: nothing was installed"
}

# Downloads a URL ($1) to a file ($2).
download() {
  if has curl; then
    curl -fsSL --connect-timeout 30 -o "$2" "$1"
  else
    wget -q -O "$2" "$1"
  fi
}

# Prints the SHA-256 sum of a file. The file is the standard input, since some tools escape its name.
sum_of() {
  if has sha256sum; then
    line=$(sha256sum <"$1")
  elif has shasum; then
    line=$(shasum -a 256 <"$1")
  else
    line=$(openssl dgst -sha256 -r <"$1")
  fi
  echo "${line%% *}"
}

# Unpacks the program, and starts it once: a system may lack a library that it needs.
unpack_program() {
  program=$work/dynip-$target/dynip
  tar -xzf "$work/$archive" -C "$work" "dynip-$target/dynip" || die "$archive cannot be unpacked"
  chmod 755 "$program"
  version=$("$program" --version 2>"$work/stderr" </dev/null) ||
    die "it does not start on this system:
$(cat "$work/stderr")" "$(start_hint)"
}

start_hint() {
  case $target in
    *-musl) echo "it needs libstdc++: apk add libstdc++" ;;
    linux-*) echo "it needs glibc 2.17 or newer" ;;
    *) echo "it needs macOS 13 or newer" ;;
  esac
}

put_program() {
  mv -f "$program" "$bin/dynip" || die "$bin/dynip cannot be written"
  echo "Installed $version as $bin/dynip"
  [ -z "$old" ] || echo "It replaces $old"
}

say_next_steps() {
  command=dynip
  first=$(command -v dynip || :)
  if [ "$first" != "$bin/dynip" ]; then
    command=$bin/dynip
    case :$PATH: in
      *":$bin:"*) echo "Your PATH finds another dynip first: $first" ;;
      *) echo "$bin is not in your PATH. To find dynip there, add this line to ~/.profile and log in again:
  export PATH=\"$bin:\$PATH\"" ;;
    esac
  fi
  if [ -n "$old" ]; then
    echo "If it runs as a service, this starts the new one, with the configuration as before:
  sudo $bin/dynip init --install serve   # or: ping"
  else
    echo "Next, on the server that your machines report to:
  $command init   # writes dynip.toml, and says what to do there and on each machine"
  fi
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Prints a problem and perhaps a hint, and ends the script.
die() {
  echo "error: Cannot install dynip: $1" >&2
  [ $# -lt 2 ] || echo "hint: $2" >&2
  exit 1
}

main "$@"
