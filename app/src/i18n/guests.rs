//! Invitations as their owners see them, and the page that a guest sees.

use super::texts;

texts! {
    /// `/invitations`
    Invitations {
        title: "Invitations" | "Invitaciones",
        intro: "An invitation lets somebody without an account open one of your services, so often and until then. You answer for what they do." | "Una invitación deja que alguien sin cuenta abra uno de tus servicios, tantas veces y hasta entonces. Tú respondes de lo que haga.",
        caption: "Invitations, the newest first" | "Invitaciones, la más reciente primero",
        label: "For" | "Para",
        service: "Service" | "Servicio",
        invited_by: "By" | "De",
        uses: "Uses" | "Usos",
        uses_of: "{n} of {all}" | "{n} de {all}",
        longest: "Longest use" | "Uso más largo",
        last_opened: "Last opened" | "Última apertura",
        revoke: "Revoke" | "Revocar",
        revoke_warning: "The invitation for {label} stops working, and every connection through it is cut at once." | "La invitación para {label} deja de funcionar y toda conexión por ella se corta al momento.",
        empty_title: "Nobody is invited" | "No hay nadie invitado",
        empty_hint: "Invite somebody to one of your services; they need no account." | "Invita a alguien a uno de tus servicios; no necesita cuenta.",
        guest_of: "Guest: {label}" | "Invitado: {label}",
        invite: "Invite a guest" | "Invitar a alguien",
        link: "Link for the guest" | "Enlace para la persona invitada",
        link_hint: "Whoever has this link can use it. Send it only to the guest." | "Quien tenga este enlace puede usarlo. Envíalo solo a la persona invitada.",
        shown_before: "The link of that invitation was shown already. Nobody can see it again; make a new invitation if it is lost." | "El enlace de esa invitación ya se mostró. Nadie puede volver a verlo; haz otra invitación si se perdió.",
        label_field: "Whom or what for" | "Para quién o para qué",
        label_hint: "Only you and the admins see it, for example \"Plumber\"." | "Solo lo ves tú y la administración, por ejemplo «Fontanero».",
        lasts: "It can be used for" | "Se puede usar durante",
        days: "{n} days" | "{n} días",
        max_uses: "How often it can be used" | "Cuántas veces se puede usar",
        max_uses_hint: "From 1 to 100. Opening again from the same address while it is open is no new use." | "De 1 a 100. Volver a abrir desde la misma dirección mientras está abierto no es otro uso.",
        max_minutes: "Longest use in minutes" | "Uso más largo en minutos",
        max_minutes_hint: "Up to the maximum of the service." | "Hasta el máximo del servicio.",
        submit: "Make the invitation" | "Crear la invitación",
    }
}

texts! {
    /// `/guest`
    Guest {
        title: "You are invited to {service}" | "Tienes una invitación a {service}",
        intro: "{who} lets you in for a while. You need no account." | "{who} te deja entrar un rato. No necesitas cuenta.",
        uses_left: "Uses left" | "Usos que quedan",
        ends: "The invitation ends" | "La invitación termina",
        address_unknown: "The portal cannot tell your address, so it opens nothing. Tell whoever invited you." | "El portal no puede saber tu dirección, así que no abre nada. Díselo a quien te invitó.",
        open_here: "It is open for your address until" | "Está abierto para tu dirección hasta",
        show: "Show what is open" | "Ver lo que está abierto",
        over_title: "This invitation is over" | "Esta invitación ha terminado",
        over_used_up: "It was used as often as it can be." | "Ya se usó tantas veces como se podía.",
        over_expired: "Its time is over." | "Se acabó su tiempo.",
        over_revoked: "It was withdrawn." | "Fue retirada.",
        over_suspended: "Whoever made it may not open this service now." | "Quien la hizo no puede abrir ahora este servicio.",
        over_hint: "Ask whoever sent you the link for a new one." | "Pide un enlace nuevo a quien te lo envió.",
        unknown_title: "This link does not work" | "Este enlace no funciona",
        unknown_hint: "Perhaps a part of it is missing. Copy the whole link, or ask whoever sent it for a new one." | "Quizá falta una parte. Copia el enlace entero o pide otro a quien te lo envió.",
        session_title: "{service} for you" | "{service} para ti",
        ends_at: "It closes by itself" | "Se cierra solo",
        reached_at: "Where it is reached" | "Dónde se alcanza",
        pending: "The router is being asked to let your address in. This page shows by itself what comes of it." | "Se está pidiendo al router que deje entrar tu dirección. Esta página muestra sola el resultado.",
        closing: "It is being closed." | "Se está cerrando.",
        closed: "It is closed. Nobody gets in through it any more." | "Está cerrado. Ya nadie entra por ahí.",
        failed: "The router did not open it, and this is not counted as a use. Try again in a minute; if it goes on, tell whoever invited you." | "El router no lo abrió y esto no cuenta como uso. Inténtalo en un minuto; si sigue así, díselo a quien te invitó.",
        soon_note: "It ends soon. Finish what you are doing." | "Termina pronto. Acaba lo que estés haciendo.",
        back: "Back to the invitation" | "Volver a la invitación",
    }
}
