#!/bin/sh
set -eu
cd /srv
ls
echo all done
