FROM mcr.microsoft.com/windows/servercore:ltsc2022 AS installer
SHELL ["powershell", "-Command"]
RUN $ProgressPreference = 'SilentlyContinue'; \
    Invoke-WebRequest -Uri $env:URL -OutFile "C:\x.zip"; \
    if ($LASTEXITCODE -ne 0) { throw 'docker pull failed' }
RUN docker pull mcr.microsoft.com/windows/nanoserver:1809
FROM mcr.microsoft.com/windows/nanoserver:ltsc2022
COPY --from=installer ["/Program Files/x", "/x"]
