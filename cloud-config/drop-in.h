/*
 * The systemd drop-in that hands the locksmith stanza to locksmithd as environment variables.
 */
#pragma once

#include "cloud-config/settings.h"

/*
 * Renders the drop-in, every value escaped as systemd.exec(5) wants it. *ret is NULL when there is nothing to say;
 * *ret_secret tells whether it holds something that only root may read.
 */
int drop_in_render(const Settings *settings, char **ret, bool *ret_secret) _must_check_;
