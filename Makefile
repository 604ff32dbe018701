# `make help` lists the targets. All the work is in dev/, which needs nothing but Python's standard library to start.

# The first Python that Odoo 19 runs on; a name on the PATH may be a stub, so each is really started.
PYTHON ?= $(shell for python in python3.12 python3.11 python3.13 python3.10 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
ifeq ($(PYTHON),)
$(error No Python 3.10 to 3.13 found. Install one, or give it: make PYTHON=/path/to/python3.12 ...)
endif

DO := @cd "$(CURDIR)" && exec $(PYTHON) -m dev.setup.python_env
DEMO_DB = --db "$(or $(DB),crm_telephony)" $(if $(PORT),--url http://127.0.0.1:$(PORT))
export PORT DB DEMO VERSION LIVE SOFTPHONE HOST KEEP FULL CHECK TAG AMI_PORT HTTP_PORT SIP_PORT SPEECH_PORT

.DEFAULT_GOAL := help
.PHONY: help run test test-upgrade test-install release pictures pbx-pages lint bench call simulate asterisk test-asterisk speech test-speech softphone-lib env shell stop clean distclean

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

run:  ## Odoo with the addon, demo data and a day of calls (PORT=8069 DB=crm_telephony DEMO=0 LIVE=1 SOFTPHONE=1)
	$(DO) dev.run

test:  ## lint, then all tests on a fresh database (ARGS="-k zadarma", DB=name, KEEP=1 reuses the last database)
	$(DO) dev.test $(ARGS)

lint:  ## ruff, pylint-odoo, XML
	$(DO) dev.lint

test-upgrade:  ## a database of each earlier version with a day of calls, updated to this code (minutes; VERSION=19.0.1.1.0)
	$(DO) dev.upgrade

test-install:  ## alone and beside other apps: installed, uninstalled without a trace, installed again (minutes; FULL=0 alone)
	$(DO) dev.install

release:  ## a zip and a wheel of the last commit in dist/ (TAG=19.0.2.0.0 refuses disagreement; CHECK=1 installs and tries both)
	$(DO) dev.release

pictures:  ## all pictures of README, docs and the apps page anew, from a demo that runs (PORT= DB=)
	$(DO) dev.pictures $(DEMO_DB)

pbx-pages:  ## the pages of docs/pbx/ anew, of each PBX's README, steps and advice
	$(DO) dev.pbx_pages

bench:  ## speed against the goals
	$(DO) dev.bench $(ARGS)

call:  ## a customer calls the running demo (CUSTOMER="number or part of a name" PHONE=101)
	@cd "$(CURDIR)" && exec $(PYTHON) -m dev.simulate $(DEMO_DB) call $(if $(CUSTOMER),--customer "$(CUSTOMER)") \
		$(if $(PHONE),--phone "$(PHONE)")

simulate:  ## a call as a PBX posts it (PBX=asterisk SCENARIO=abandoned, elsewhere URL=... SECRET=... KEY=...; nothing for the list)
	@cd "$(CURDIR)" && exec $(PYTHON) -m dev.simulate $(if $(URL),,$(DEMO_DB)) $(if $(SCENARIO),play --pbx "$(or $(PBX),asterisk)" \
		--scenario "$(SCENARIO)" $(if $(URL),--url "$(URL)") --secret "$(SECRET)" --key "$(KEY)",list) $(ARGS)

asterisk:  ## a real Asterisk 22 on the loopback interface, with SIPp (AMI_PORT=5038 HTTP_PORT=8088 SIP_PORT=15060)
	$(DO) dev.asterisk

test-asterisk:  ## real calls through Asterisk, the bridge and Odoo; builds what is missing (FULL=1 takes minutes)
	$(DO) dev.asterisk test $(ARGS)

speech:  ## a real speech engine beside the demo of `make run`: talks become text (SPEECH_PORT=9377)
	$(DO) dev.speech

test-speech:  ## talks whose words are known, through a real engine and Odoo; builds what is missing
	$(DO) dev.speech test $(ARGS)

softphone-lib:  ## the browser phone's SIP library, built of its packages with Node.js (CHECK=1 only compares)
	$(DO) dev.softphone

env:  ## shell code for the project's environment: eval "`make -s env`"
	$(DO) dev.setup env

shell:  ## a shell with odoo, python, pytest and psql of this project
	$(DO) dev.setup shell

stop:  ## stop the private PostgreSQL
	@cd "$(CURDIR)" && exec $(PYTHON) -m dev.setup.remove stop

clean:  ## drop this project's databases, keep downloads
	$(DO) dev.setup clean

distclean:  ## remove everything that was made outside the repository
	@cd "$(CURDIR)" && exec $(PYTHON) -m dev.setup.remove distclean
