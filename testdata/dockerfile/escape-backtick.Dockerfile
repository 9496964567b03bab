# escape=`
# syntax=docker/dockerfile:1
FROM mcr.microsoft.com/windows/servercore:ltsc2022 `
    AS build
SHELL ["powershell", "-Command", "$ErrorActionPreference = 'Stop';"]
COPY C:\app\ C:\app\
RUN Invoke-WebRequest https://example.com/a.zip -OutFile C:\a.zip ; `
    # a comment
    docker pull mcr.microsoft.com/windows/nanoserver:ltsc2022 ; `
    Remove-Item C:\a.zip
ENV A=C:\
FROM mcr.microsoft.com/windows/nanoserver:ltsc2022
COPY --from=build C:\app C:\app
COPY --from=mcr.microsoft.com/powershell:7.4-nanoserver-ltsc2022 `
     C:\pwsh C:\pwsh
