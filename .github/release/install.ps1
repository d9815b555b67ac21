# Installs dynip @VERSION@ on Windows:
#
#     irm @BASE@/install.ps1 | iex
#
# It downloads the archive for this processor, compares its SHA-256 sum with the one below, puts dynip.exe
# into %ProgramFiles%\dynip if PowerShell runs as administrator, else into %LOCALAPPDATA%\Programs\dynip, and
# adds that folder to PATH. When it fails, it removes what it wrote. All of it is one block, so a
# download of this script that was cut off does nothing.
& {
  # A progress bar makes the download of Windows PowerShell many times slower.
  $ErrorActionPreference = 'Stop'
  $ProgressPreference = 'SilentlyContinue'
  $version = '@VERSION@'
  $base = '@BASE@'
  # For each processor: the target, the SHA-256 sum of its archive, and the bytes that both need.
  $archives = @{
@ARCHIVES@
  }

  if ($PSVersionTable.PSVersion.Major -lt 5) {
    throw "Cannot install dynip: this is PowerShell $($PSVersionTable.PSVersion), and 5.1 is the oldest that works"
  }
  if ([Environment]::OSVersion.Platform -ne 'Win32NT') {
    throw "Cannot install dynip: this is not Windows. For Linux and macOS there is $base/install.sh"
  }
  # A 32-bit PowerShell has the system's processor in the first variable.
  $processor = $env:PROCESSOR_ARCHITEW6432
  if (-not $processor) { $processor = $env:PROCESSOR_ARCHITECTURE }
  $archive = $archives[$processor]
  if (-not $archive) {
    throw "Cannot install dynip: it is not released for Windows on this processor, $processor"
  }

  $user = [Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()
  $isAdministrator = $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
  if ($isAdministrator) {
    # A 32-bit PowerShell has the system's folder in the first variable.
    $programs = $env:ProgramW6432
    if (-not $programs) { $programs = $env:ProgramFiles }
  } else {
    $programs = Join-Path $env:LOCALAPPDATA 'Programs'
  }
  $folder = Join-Path $programs 'dynip'
  $program = Join-Path $folder 'dynip.exe'
  # Beside the program, so that a rename puts the program in its place.
  $work = Join-Path $folder ('.install-' + [Guid]::NewGuid().ToString('N'))
  $isFolderNew = -not (Test-Path -LiteralPath $folder)

  try {
    New-Item -ItemType Directory -Force -Path $work | Out-Null
    $free = (New-Object IO.DriveInfo ([IO.Path]::GetPathRoot($work))).AvailableFreeSpace
    if ($free -lt $archive.Space) {
      throw "Cannot install dynip: there is too little space for ${folder}: $free bytes, of $($archive.Space) that the installation needs"
    }

    $name = "dynip-$($archive.Target)"
    $zip = Join-Path $work "$name.zip"
    Write-Host "Downloading dynip $version for $($archive.Target)"
    # Windows PowerShell does not offer TLS 1.2 by itself on older systems.
    [Net.ServicePointManager]::SecurityProtocol =
      [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    Invoke-WebRequest -UseBasicParsing -Uri "$base/$name.zip" -OutFile $zip
    $sum = (Get-FileHash -Algorithm SHA256 -LiteralPath $zip).Hash.ToLowerInvariant()
    if ($sum -ne $archive.Sum) {
      throw "Cannot install dynip: the SHA-256 sum of $name.zip is $sum, must be $($archive.Sum). The download is damaged or was changed."
    }

    Expand-Archive -LiteralPath $zip -DestinationPath $work
    $new = Join-Path (Join-Path $work $name) 'dynip.exe'
    $said = & $new --version
    if ($LASTEXITCODE -ne 0) {
      throw "Cannot install dynip: it does not start on this system (exit code $LASTEXITCODE)"
    }
    if (Test-Path -LiteralPath $program) {
      # Works while the old one runs, which goes on from its new place.
      [IO.File]::Replace($new, $program, (Join-Path $work 'replaced.exe'))
    } else {
      [IO.File]::Move($new, $program)
    }
    Write-Host "Installed $said as $program"
  } finally {
    # An old one that still runs cannot be removed; the next installation removes it.
    Get-ChildItem -LiteralPath $folder -Filter '.install-*' -ErrorAction SilentlyContinue |
      Remove-Item -Recurse -Force -ErrorAction SilentlyContinue
    if ($isFolderNew -and -not (Test-Path -LiteralPath $program)) {
      Remove-Item -LiteralPath $folder -Force -ErrorAction SilentlyContinue
    }
  }

  if ($isAdministrator) {
    $scope = 'Machine'
    $environment = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey(
      'SYSTEM\CurrentControlSet\Control\Session Manager\Environment', $true)
  } else {
    $scope = 'User'
    $environment = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment', $true)
  }
  # Unexpanded: other entries may be such as %USERPROFILE%\bin, and must stay so.
  $path = [string]$environment.GetValue('Path', '', 'DoNotExpandEnvironmentNames')
  $entries = @($path -split ';' | Where-Object { $_ })
  if ($entries -notcontains $folder) {
    $environment.SetValue('Path', (($entries + $folder) -join ';'), 'ExpandString')
    # Removing a variable that there is not tells running programs that the environment changed.
    [Environment]::SetEnvironmentVariable('DYNIP_INSTALL', $null, $scope)
    Write-Host "Added $folder to PATH. Other windows find dynip when they are opened anew."
  }
  $environment.Close()
  if (@($env:Path -split ';') -notcontains $folder) { $env:Path = "$env:Path;$folder" }

  Write-Host 'Next, with the file that "dynip init --name NAME" wrote on your server:'
  Write-Host '  dynip ping NAME.toml                  # tells the server where this machine is'
  Write-Host '  dynip init --install ping NAME.toml   # as administrator: every 5 minutes'
}
