#include "payload/payload-tool.h"

static const Verb verbs[] = {
        { "create", "", 0, 0, create_options, "make a payload from images", verb_create },
        { "sign", "FILE", 1, 1, sign_options, "sign a payload", verb_sign },
        { "digest", "FILE", 1, 1, digest_options, "print what is to be signed elsewhere",
          verb_digest },
        { "info", "FILE", 1, 1, info_options, "show what is in a payload, unverified", verb_info },
        { "verify", "FILE|-", 1, 1, verify_options, "check everything, write nothing",
          verb_verify },
        { "apply", "FILE|-", 1, 1, apply_options, "check a payload and write its image",
          verb_apply },
        {},
};

int main(int argc, char **argv)
{
        static const Program program = {
                .name = "payload",
                .synopsis = "COMMAND [OPTIONS] [FILE]",
                .summary = "Makes, signs, shows, verifies and applies update payloads (CrAU).",
                .verbs = verbs,
                .footer = "A FILE of - is standard input. See payload(1).",
        };

        return program_run(&program, argc, argv);
}
