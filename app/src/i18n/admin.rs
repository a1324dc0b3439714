//! The audit trail, the error pages and the styleguide.

use super::texts;

texts! {
    /// `/admin/audit`
    Audit {
        title: "Audit" | "Auditoría",
        intro: "Who changed what, from where and when. Nothing here can be edited." | "Quién cambió qué, desde dónde y cuándo. Nada de esto se puede editar.",
        caption: "Audit trail, the newest first" | "Registro de auditoría, lo más nuevo primero",
        when: "When" | "Cuándo",
        actor: "Who" | "Quién",
        action: "What" | "Qué",
        target: "On what" | "Sobre qué",
        outcome: "Result" | "Resultado",
        from: "From" | "Desde",
        detail: "Detail" | "Detalle",
        actor_hint: "Part of a name, or a whole id." | "Parte de un nombre, o un identificador completo.",
        action_hint: "An action or its beginning, such as session." | "Una acción o su comienzo, como session.",
        target_hint: "The id of what it was about." | "El identificador de aquello de lo que trata.",
        download_csv: "Download as CSV" | "Descargar como CSV",
        download_json: "See as JSON" | "Ver como JSON",
        filter_title: "Filter" | "Filtro",
        outcome_failed: "Failed" | "Fallido",
        nobody: "Nobody signed in" | "Nadie con sesión",
        filter: "Filter" | "Filtrar",
        filter_clear: "Clear the filter" | "Quitar el filtro",
        since: "Since" | "Desde el",
        until: "Until" | "Hasta el",
        outcome_ok: "Done" | "Hecho",
        outcome_refused: "Refused" | "Rechazado",
        empty_title: "Nothing to show" | "Nada que mostrar",
        empty_hint: "Nothing fits the filter. Clear it to see all." | "Nada coincide con el filtro. Quítalo para verlo todo.",
    }
}

texts! {
    /// Not-found and error pages.
    Errors {
        not_found_title: "There is no such page" | "Esta página no existe",
        not_found_text: "The address is mistyped, or what was here is gone, or it is not yours." | "La dirección está mal escrita, o lo que había ya no está, o no es tuyo.",
        error_title: "This did not work" | "Esto no ha funcionado",
        forbidden_title: "This is not for your account" | "Esto no es para tu cuenta",
        to_start: "To the start page" | "Ir a la página de inicio",
        to_sign_in: "Sign in" | "Iniciar sesión",
    }
}

texts! {
    /// `/admin/styleguide`, in debug builds.
    Styleguide {
        title: "Styleguide" | "Guía de estilo",
        intro: "Every component in every state. Debug builds only." | "Cada componente en cada estado. Solo en compilaciones de depuración.",
    }
}
