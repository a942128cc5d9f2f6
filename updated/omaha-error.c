#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "omaha-error.h"

#define NUMBER_HTTP_BASE  2000
#define NUMBER_HTTP_OTHER 999 /* stands for a status that is none */
#define HTTP_STATUS_MAX   999

static const struct {
        const char *word;
        uint32_t number;
} errors[_UPDATE_ERROR_MAX] = {
        [UPDATE_ERROR_NONE] = { "none", 0 },
        [UPDATE_ERROR_GENERIC] = { "internal", 1 },
        [UPDATE_ERROR_NO_ANSWER] = { "no-answer", NUMBER_HTTP_BASE },
        [UPDATE_ERROR_HTTP_STATUS] = { "http-status", NUMBER_HTTP_BASE },
        [UPDATE_ERROR_ANSWER_EMPTY] = { "answer-empty", 30 },
        [UPDATE_ERROR_ANSWER_XML] = { "answer-xml", 31 },
        [UPDATE_ERROR_ANSWER_INVALID] = { "answer-invalid", 34 },
        [UPDATE_ERROR_SLOTS] = { "slots", 7 },
        [UPDATE_ERROR_KEYS] = { "keys", 12 },
        [UPDATE_ERROR_TRANSFER] = { "transfer", 9 },
        [UPDATE_ERROR_PAYLOAD_FORMAT] = { "payload-format", 21 },
        [UPDATE_ERROR_PAYLOAD_MANIFEST] = { "payload-manifest", 23 },
        [UPDATE_ERROR_PAYLOAD_UNHASHED] = { "payload-unhashed", 38 },
        [UPDATE_ERROR_PAYLOAD_DATA] = { "payload-data", 29 },
        [UPDATE_ERROR_PAYLOAD_OPERATION] = { "payload-operation", 28 },
        [UPDATE_ERROR_PAYLOAD_SIZE] = { "payload-size", 11 },
        [UPDATE_ERROR_PAYLOAD_HASH] = { "payload-hash", 10 },
        [UPDATE_ERROR_PAYLOAD_UNSIGNED] = { "payload-unsigned", 17 },
        [UPDATE_ERROR_PAYLOAD_SIGNATURE] = { "payload-signature", 18 },
        [UPDATE_ERROR_PAYLOAD_BASE] = { "payload-base", 20 },
        [UPDATE_ERROR_TARGET_SMALL] = { "target-small", 13 },
        [UPDATE_ERROR_TARGET_WRITE] = { "target-write", 14 },
        [UPDATE_ERROR_TARGET_CONTENT] = { "target-content", 15 },
        [UPDATE_ERROR_ACTIVATE] = { "activate", 5 },
        [UPDATE_ERROR_ROLLED_BACK] = { "rolled-back", 44 },
        [UPDATE_ERROR_CANCELLED] = { "cancelled", 48 },
        [UPDATE_ERROR_POLICY] = { "policy", 35 },
        [UPDATE_ERROR_BACKOFF] = { "backoff", 40 },
        [UPDATE_ERROR_SETTINGS] = { "settings", 1 },
        [UPDATE_ERROR_PACKAGE] = { "package", 5 },
        [UPDATE_ERROR_POSTINST] = { "postinst", 5 },
        [UPDATE_ERROR_POSTINST_FIRMWARE] = { "postinst-firmware", 19 },
};

static const UpdateErrorCode refusals[_PAYLOAD_REFUSAL_MAX] = {
        [PAYLOAD_REFUSAL_NONE] = UPDATE_ERROR_GENERIC,
        [PAYLOAD_REFUSAL_MAGIC] = UPDATE_ERROR_PAYLOAD_FORMAT,
        [PAYLOAD_REFUSAL_VERSION] = UPDATE_ERROR_PAYLOAD_FORMAT,
        [PAYLOAD_REFUSAL_MANIFEST] = UPDATE_ERROR_PAYLOAD_MANIFEST,
        [PAYLOAD_REFUSAL_OPERATION_HASH_MISSING] = UPDATE_ERROR_PAYLOAD_UNHASHED,
        [PAYLOAD_REFUSAL_OPERATION_HASH] = UPDATE_ERROR_PAYLOAD_DATA,
        [PAYLOAD_REFUSAL_OPERATION] = UPDATE_ERROR_PAYLOAD_OPERATION,
        [PAYLOAD_REFUSAL_SIZE] = UPDATE_ERROR_PAYLOAD_SIZE,
        [PAYLOAD_REFUSAL_HASH] = UPDATE_ERROR_PAYLOAD_HASH,
        [PAYLOAD_REFUSAL_UNSIGNED] = UPDATE_ERROR_PAYLOAD_UNSIGNED,
        [PAYLOAD_REFUSAL_SIGNATURE] = UPDATE_ERROR_PAYLOAD_SIGNATURE,
        [PAYLOAD_REFUSAL_BASE] = UPDATE_ERROR_PAYLOAD_BASE,
        [PAYLOAD_REFUSAL_TARGET_TOO_SMALL] = UPDATE_ERROR_TARGET_SMALL,
        [PAYLOAD_REFUSAL_TARGET_IO] = UPDATE_ERROR_TARGET_WRITE,
        [PAYLOAD_REFUSAL_TARGET_HASH] = UPDATE_ERROR_TARGET_CONTENT,
};

const char *update_error_to_string(UpdateErrorCode code)
{
        int i = (int)code;

        return i < 0 || i >= _UPDATE_ERROR_MAX ? NULL : errors[i].word;
}

UpdateErrorCode update_error_from_string(const char *text)
{
        for (int i = 0; i < _UPDATE_ERROR_MAX; i++)
                if (streq(errors[i].word, text))
                        return (UpdateErrorCode)i;

        return _UPDATE_ERROR_INVALID;
}

UpdateErrorCode update_error_from_payload(PayloadRefusal refusal)
{
        int i = (int)refusal;

        return i < 0 || i >= _PAYLOAD_REFUSAL_MAX ? UPDATE_ERROR_GENERIC : refusals[i];
}

void update_failure_done(UpdateFailure *failure)
{
        free(failure->text);
        *failure = (UpdateFailure) {};
}

int update_failure_set(UpdateFailure *failure, int error, UpdateErrorCode code, const char *format,
                       ...)
{
        va_list arguments;
        char *text = NULL;

        va_start(arguments, format);
        (void)text_vformat(&text, format, arguments); /* the code is what counts */
        va_end(arguments);
        if (text)
                text_make_plain(text); /* it may quote what a server said */

        update_failure_done(failure);
        *failure = (UpdateFailure) { .code = code, .text = text };
        return error;
}

const char *update_failure_text(const UpdateFailure *failure)
{
        return failure->text ? failure->text : "no details, because memory is short";
}

uint32_t omaha_error_number(const UpdateFailure *failure)
{
        uint32_t number = errors[failure->code].number;

        if (failure->code == UPDATE_ERROR_HTTP_STATUS)
                number += failure->http_status <= HTTP_STATUS_MAX ? failure->http_status
                                                                  : NUMBER_HTTP_OTHER;
        return number;
}
